"""The operations on calls: retry, discard, and for which calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import transaction
from django.db.models.functions import Now
from django.dispatch import Signal

from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.operations import calls as operated
from aftercommit.operations import operation as operation_module
from aftercommit.operations.calls import DISCARD, discard_calls, is_unknown, retry_calls
from aftercommit.signals import calls_discarded, calls_retried
from aftercommit.worker.drain import drain_all
from aftercommit.worker.rows import lock_rows
from tests.connections import locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, calls, make_call
from tests.unit.aftercommit.impatient import row_locks_only

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The databases and tasks that were woken."""
    targets: list[tuple[str, str]] = []
    monkeypatch.setattr(operated, "wake_task", lambda using, task: targets.append((using, task)))
    return targets


class TestRetry:
    """``retry_calls()``."""

    @pytest.mark.parametrize("status", [Status.DEAD, Status.UNCERTAIN])
    def test_held(self, status: OutboxCall.Status, woken: list[Any]) -> None:
        """A dead or uncertain call is due again, as new, and its task woken."""
        call = make_call(
            status=status, attempts=9, crashes=3, available_at=Now() + timedelta(seconds=50)
        )
        assert retry_calls(OutboxCall.objects.all()) == 1
        call.refresh_from_db()
        assert (call.status, call.attempts, call.crashes) == (Status.PENDING, 0, 0)
        assert woken == [("default", MAKE_GROUP)]
        drain_all()
        assert not OutboxCall.objects.exists()
        assert effects.names() == ["x"]

    @pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING])
    def test_others(self, status: OutboxCall.Status, woken: list[Any]) -> None:
        """A call that settles by itself stays as it is."""
        later = Now() + timedelta(seconds=50)
        call = make_call(status=status, attempts=2, available_at=later)
        before = OutboxCall.objects.filter(pk=call.pk).values().get()
        assert retry_calls(OutboxCall.objects.all()) == 0
        assert OutboxCall.objects.filter(pk=call.pk).values().get() == before
        assert woken == []

    def test_only_the_given(self, woken: list[Any]) -> None:
        """The others stay dead."""
        first, second = make_call(status=Status.DEAD), make_call(status=Status.DEAD)
        retry_calls(OutboxCall.objects.filter(pk=first.pk))
        second.refresh_from_db()
        assert second.status == Status.DEAD

    def test_keeps_the_error(self, woken: list[Any]) -> None:
        """The last error remains to be seen until the call is settled."""
        call = make_call(status=Status.DEAD, error="It broke.")
        retry_calls(OutboxCall.objects.all())
        call.refresh_from_db()
        assert call.error == "It broke."

    def test_each_task_once(self, woken: list[Any]) -> None:
        """Each task is woken once, however many calls."""
        for _ in range(3):
            make_call(status=Status.DEAD)
        make_call(task="other.tasks.other", status=Status.DEAD)
        retry_calls(OutboxCall.objects.all())
        assert sorted(woken) == [("default", "other.tasks.other"), ("default", MAKE_GROUP)]

    def test_in_a_transaction(self, woken: list[Any]) -> None:
        """The task is woken after the commit: before it, a drain would find nothing."""
        make_call(status=Status.DEAD)
        with transaction.atomic():
            retry_calls(OutboxCall.objects.all())
            assert woken == []
        assert woken == [("default", MAKE_GROUP)]


class TestDiscard:
    """``discard_calls()``."""

    def test_held(self) -> None:
        """Dead and uncertain calls are deleted, and no other."""
        made = {status: make_call(status=status) for status in Status}
        assert discard_calls(OutboxCall.objects.all()) == 2
        left = calls().values_list("pk", flat=True)
        assert set(left) == {made[Status.PENDING].pk, made[Status.RUNNING].pk}

    def test_only_the_given(self) -> None:
        """The others stay."""
        first, second = make_call(status=Status.DEAD), make_call(status=Status.DEAD)
        assert discard_calls(OutboxCall.objects.filter(pk=first.pk)) == 1
        assert calls().get() == second


class TestUnknownTask:
    """Calls of a task that nobody has."""

    @pytest.mark.parametrize("available", [timedelta(0), timedelta(hours=1)])
    def test_pending(self, available: timedelta) -> None:
        """A pending one can be discarded, whether it is due or waits for its time."""
        call = make_call(task="gone.tasks.gone", available_at=Now() + available)
        seen: list[Any] = []
        with listening(calls_discarded, seen.append):
            assert discard_calls(OutboxCall.objects.filter(pk=call.pk)) == 1
        assert [(told.pk, told.status) for told in seen[0][1]] == [(call.pk, Status.PENDING)]
        assert not calls().exists()

    def test_running(self) -> None:
        """One that a worker runs is left to that worker."""
        make_call(task="gone.tasks.gone", status=Status.RUNNING)
        assert discard_calls(OutboxCall.objects.all()) == 0

    def test_retry(self) -> None:
        """A pending one isn't retried: it is due already."""
        make_call(task="gone.tasks.gone", available_at=Now() + timedelta(hours=1))
        assert retry_calls(OutboxCall.objects.all()) == 0

    def test_task_that_was_not_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A task that only a worker has imported is none: what a worker imports is looked at."""

        def import_tasks() -> None:
            current_app.tasks["late.tasks.late"] = effects.make_group

        operated._import_tasks.cache_clear()
        monkeypatch.setattr(current_app.loader, "import_default_modules", import_tasks)
        assert is_unknown("default", "gone.tasks.gone")
        assert not is_unknown("default", "late.tasks.late")
        del current_app.tasks["late.tasks.late"]

    @pytest.mark.parametrize(
        ("seconds", "discarded"), [(0, 0), (3600, 1)], ids=["lives", "is gone"]
    )
    def test_task_of_another_service(self, seconds: int, discarded: int) -> None:
        """One whose task a worker has that lives is left to that worker, whatever code it runs."""
        make_call(task="other.tasks.other")
        tasks = {"other.tasks.other": "()"}
        seen = Now() - timedelta(seconds=seconds)
        OutboxWorker.objects.create(name="other", host="b", pid=1, seen_at=seen, tasks=tasks)
        assert discard_calls(OutboxCall.objects.all()) == discarded

    def test_settled_by_a_new_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One whose task appears between the question and the deed is left."""
        call = make_call(task="gone.tasks.gone")
        monkeypatch.setattr(operated, "is_unknown", lambda *_: False)
        assert DISCARD.run("default", [call.pk]) == 0
        assert calls().get() == call


OPERATIONS = {retry_calls: calls_retried, discard_calls: calls_discarded}
BOTH = pytest.mark.parametrize("operation", OPERATIONS)


@BOTH
class TestBoth:
    """What ``retry_calls()`` and ``discard_calls()`` have in common."""

    def test_signal(self, operation: Any) -> None:
        """Tells receivers which calls, as they were before, and in which database."""
        dead, uncertain = make_call(status=Status.DEAD), make_call(status=Status.UNCERTAIN)
        make_call()
        seen: list[Any] = []
        with listening(OPERATIONS[operation], seen.append):
            operation(OutboxCall.objects.all())
        ((using, told),) = seen
        assert using == "default"
        assert [(call.pk, call.status) for call in told] == [
            (dead.pk, Status.DEAD),
            (uncertain.pk, Status.UNCERTAIN),
        ]

    def test_no_signal(self, operation: Any) -> None:
        """Tells them nothing where nothing is done."""
        make_call()
        seen: list[Any] = []
        with listening(OPERATIONS[operation], seen.append):
            assert operation(OutboxCall.objects.all()) == 0
        assert seen == []

    def test_fail_receiver(self, operation: Any, woken: list[Any]) -> None:
        """Is undone by a receiver that raises: nothing is done that can't be told of."""
        call = make_call(status=Status.DEAD)

        def fail(_: Any) -> None:
            raise ValueError("no log")

        with listening(OPERATIONS[operation], fail), pytest.raises(ValueError, match="no log"):
            operation(OutboxCall.objects.all())
        call.refresh_from_db()
        assert call.status == Status.DEAD
        assert OutboxCall.objects.count() == 1
        assert woken == []

    def test_many(self, operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes many calls in several transactions, each call once."""
        monkeypatch.setattr(operation_module, "CHUNK", 2)
        made = [make_call(status=Status.DEAD).pk for _ in range(5)]
        seen: list[Any] = []

        def dead_again(what: Any) -> None:
            seen.append([call.pk for call in what[1]])
            OutboxCall.objects.filter(pk__in=made).update(status=Status.DEAD)

        with listening(OPERATIONS[operation], dead_again):
            assert operation(OutboxCall.objects.all()) == 5
        assert seen == [made[:2], made[2:4], made[4:]]

    @row_locks_only
    def test_settled_at_this_moment(self, operation: Any) -> None:
        """Leaves a call that somebody has locked to them, and doesn't wait."""
        locked, free = make_call(status=Status.UNCERTAIN), make_call(status=Status.UNCERTAIN)
        with locking(locked):
            assert operation(OutboxCall.objects.all()) == 1
        locked.refresh_from_db()
        assert locked.status == Status.UNCERTAIN
        left = OutboxCall.objects.filter(pk=free.pk, status=Status.UNCERTAIN)
        assert not left.exists()

    def test_settled_meanwhile(self, operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leaves a call that was settled after it was chosen."""
        call, other = make_call(status=Status.UNCERTAIN), make_call(status=Status.DEAD)

        def settle(rows: Any) -> Any:
            OutboxCall.objects.filter(pk=call.pk).update(status=Status.PENDING, attempts=4)
            return lock_rows(rows)

        monkeypatch.setattr(operation_module, "lock_rows", settle)
        seen: list[Any] = []
        with listening(OPERATIONS[operation], seen.append):
            assert operation(OutboxCall.objects.all()) == 1
        call.refresh_from_db()
        assert (call.status, call.attempts) == (Status.PENDING, 4)
        assert [told.pk for told in seen[0][1]] == [other.pk]


@contextmanager
def listening(signal: Signal, function: Callable[[Any], None]) -> Iterator[None]:
    """The function, called with database and calls each time that the signal is sent."""

    def receive(calls: Any, using: str, **kwargs: Any) -> None:
        function((using, calls))

    signal.connect(receive, sender=OutboxCall)
    try:
        yield
    finally:
        signal.disconnect(receive, sender=OutboxCall)
