"""Tasks in a worker: what runs, how often, and who is told."""

import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models.functions import Now
from django.test import override_settings

from aftercommit.context import Context, use
from aftercommit.contrib.tasks.api import TaskResultStatus, task_finished, task_started
from aftercommit.models import OutboxCall
from aftercommit.operations.calls import discard_calls, retry_calls
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task import find_task
from aftercommit.outbox.task_options import Options
from aftercommit.worker.drain import drain_all
from aftercommit.worker.revoke import revoke_calls
from core.stack.waiting import wait_until
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.defined import fail
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND

pytestmark = pytest.mark.django_db(transaction=True)

MAKE_GROUP = f"{defined.__name__}.make_group"


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Return what receivers are told: the signal, the status, and the error that is handled."""
    seen: list[Any] = []

    def start(task_result: Any, **kwargs: Any) -> None:
        seen.append(("started", task_result.status.value, task_result.attempts))

    def finish(task_result: Any, **kwargs: Any) -> None:
        seen.append(("finished", task_result.status.value, sys.exc_info()[0]))

    task_started.connect(start)
    task_finished.connect(finish)
    yield seen
    task_started.disconnect(start)
    task_finished.disconnect(finish)


def run_twice(result: Any) -> None:
    """Drain until the second attempt of the task is over."""
    drain_all()
    make_due()
    drain_all()
    result.refresh()


def make_due() -> None:
    """Have the tasks that are tried again be due."""
    OutboxCall.objects.filter(status="pending").update(available_at=Now())


class TestEffect:
    """The function's effect and its result, in one transaction."""

    @pytest.mark.every_database
    @pytest.mark.parametrize("name", ["make_group", "make_group_async"])
    def test_once(self, name: str) -> None:
        """A function and a coroutine function have their effect, and leave no call."""
        result = getattr(defined, name).enqueue("a")
        drain_all()
        result.refresh()
        assert defined.names() == ["a"]
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "a")
        assert not OutboxCall.objects.exists()

    @pytest.mark.every_database
    @pytest.mark.parametrize("name", ["make_group", "make_group_async"])
    def test_failed(self, name: str) -> None:
        """The effect of an attempt that fails is undone, that of a coroutine too."""
        defined.acts.append(fail())
        result = getattr(defined, name).using(backend="twice").enqueue("a")
        drain_all()
        assert (defined.names(), defined.received) == ([], ["a"])
        run_twice(result)
        assert defined.names() == ["a"]
        assert result.status == TaskResultStatus.SUCCESSFUL

    def test_beside_one_that_fails(self) -> None:
        """A task that fails spoils no other of its batch."""
        results = [defined.make_group.using(backend="once").enqueue(name) for name in "abc"]
        defined.acts[:] = [lambda: 1, fail(), *[lambda: 1, fail(), lambda: 3]]
        drain_all()
        for result in results:
            result.refresh()
        assert [each.status.value for each in results] == ["SUCCESSFUL", "FAILED", "SUCCESSFUL"]
        assert defined.names() == ["a", "c"]

    def test_enqueues_another(self) -> None:
        """A task that fails has enqueued none."""
        defined.acts.append(fail())
        result = defined.make_more.using(backend="twice").enqueue("a")
        drain_all()
        assert list(OutboxCall.objects.values_list("task", flat=True)) == [
            f"{defined.__name__}.make_more?backend=twice"
        ]
        run_twice(result)
        drain_all()
        assert defined.names() == ["a"]

    def test_context(self) -> None:
        """The context of a task is that of the code that has enqueued it."""
        with use(Context(actor="ann")):
            result = defined.name_actor.enqueue()
        drain_all()
        result.refresh()
        assert result.return_value == "ann"


class TestOutside:
    """A backend with ``atomic`` off."""

    @pytest.mark.every_database
    def test_runs_outside(self) -> None:
        """A task runs outside any transaction, and its result is kept."""
        defined.acts.append(lambda: transaction.get_connection().in_atomic_block)
        result = defined.make_group.using(backend="outside").enqueue("a")
        drain_all()
        result.refresh()
        assert result.return_value is False
        assert not OutboxCall.objects.exists()

    def test_value_that_is_no_json(self) -> None:
        """Such a value does not have the effect had again."""
        defined.acts.append(object)
        result = defined.make_group.using(backend="outside").enqueue("a")
        run_twice(result)
        assert defined.received == ["a"]
        assert result.status == TaskResultStatus.FAILED

    def test_retried(self) -> None:
        """A task that fails is tried again, and both attempts are in its result."""
        defined.acts.append(fail())
        result = defined.look_at_context.using(backend="outside").enqueue()
        run_twice(result)
        assert (result.status, result.attempts) == (TaskResultStatus.SUCCESSFUL, 2)
        assert [error.exception_class for error in result.errors] == [ValueError]


class TestContext:
    """``takes_context``."""

    @pytest.mark.parametrize("backend", ["twice", "forgetful"])
    def test_attempts(self, backend: str) -> None:
        """Each attempt has its number, with and without a table of results."""
        defined.acts.append(fail())
        result = defined.look_at_context.using(backend=backend).enqueue("a")
        drain_all()
        make_due()
        drain_all()
        (one, first, _), (two, second, names) = defined.received
        assert (one, two, names) == (1, 2, ("a",))
        assert first.id == second.id == result.id
        assert second.status == TaskResultStatus.RUNNING
        assert second.enqueued_at == result.enqueued_at
        assert len(second.errors) == (backend == "twice")

    def test_put_off(self) -> None:
        """An attempt that is not counted has the number of the next one."""
        from django.db import OperationalError

        defined.acts.append(fail(OperationalError("database is locked")))
        defined.acts.append(fail(OperationalError("database is locked")))
        result = defined.look_at_context.using(backend="twice").enqueue()
        drain_all()
        result.refresh()
        assert result.attempts == len(result.worker_ids) <= 2


class TestFailure:
    """Ends that are no value."""

    def test_no_json(self) -> None:
        """A value that JSON can't carry is a failure at once, undoes the effect and is named."""
        defined.acts.append(object)
        result = defined.make_group.enqueue("a")
        drain_all()
        result.refresh()
        assert (defined.names(), defined.received) == ([], ["a"])
        assert result.errors[0].exception_class is TypeError
        assert OutboxCall.objects.get().status == "dead"
        assert "Return plain data" in OutboxCall.objects.get().error

    @pytest.mark.every_database
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("nan")]])
    def test_no_number(self, value: Any) -> None:
        """Python's JSON has numbers that no other has."""
        defined.acts.append(lambda: value)
        result = defined.make_group.enqueue("a")
        drain_all()
        result.refresh()
        assert result.status == TaskResultStatus.FAILED

    @pytest.mark.every_database
    @pytest.mark.parametrize("value", ["\x00", "\ud800", "ß", {"a": [1, None, True, 1.5]}])
    def test_strange_values(self, value: Any) -> None:
        """A text that a database could not hold comes back as it was."""
        defined.acts.append(lambda: value)
        result = defined.make_group.enqueue("a")
        drain_all()
        result.refresh()
        assert result.return_value == value

    def test_exits(self) -> None:
        """A task that exits has failed, and its process goes on."""
        defined.acts.append(fail(SystemExit(3)))
        result = defined.make_group.using(backend="once").enqueue("a")
        drain_all()
        result.refresh()
        assert result.errors[0].exception_class is SystemExit
        assert result.errors[0].traceback.endswith("SystemExit: 3\n")

    def test_dead(self) -> None:
        """A task that failed for good is a dead letter, which an operator retries."""
        defined.acts.append(fail())
        result = defined.make_group.using(backend="once").enqueue("a")
        drain_all()
        result.refresh()
        assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
        assert retry_calls(OutboxCall.objects.all()) == 1
        result.refresh()
        assert (result.status, result.errors) == (TaskResultStatus.READY, [])
        drain_all()
        result.refresh()
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "a")

    def test_discarded(self) -> None:
        """A dead letter that is discarded has failed."""
        defined.acts.append(fail())
        result = defined.make_group.using(backend="once").enqueue("a")
        drain_all()
        assert discard_calls(OutboxCall.objects.all()) == 1
        result.refresh()
        assert result.status == TaskResultStatus.FAILED

    def test_revoked(self) -> None:
        """A task that is revoked has failed, and says so."""
        result = defined.make_group.enqueue("a")
        assert revoke_calls([result.id]) == 1
        result.refresh()
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class.__name__ == "TaskRevokedError"
        assert defined.received == []


class TestSignals:
    """``task_started`` and ``task_finished``."""

    @pytest.mark.parametrize("backend", ["default", "outside", "forgetful"])
    def test_success(self, backend: str, told: list[Any]) -> None:
        """They are sent around a run."""
        defined.make_group.using(backend=backend).enqueue("a")
        drain_all()
        assert told == [("started", "RUNNING", 1), ("finished", "SUCCESSFUL", None)]

    @pytest.mark.parametrize("backend", ["twice", "outside", "forgetful"])
    def test_failure(self, backend: str, told: list[Any]) -> None:
        """A task that is tried again has not finished. The error is handled at its end."""
        defined.acts.extend([fail(), fail()])
        defined.look_at_context.using(backend=backend).enqueue()
        drain_all()
        assert told == [("started", "RUNNING", 1)]
        make_due()
        drain_all()
        assert told[1:] == [("started", "RUNNING", 2), ("finished", "FAILED", ValueError)]

    def test_receiver_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        """A receiver that raises is logged. The task has its effect once all the same."""
        task_started.connect(raise_error)
        task_finished.connect(raise_error)
        try:
            defined.make_group.enqueue("a")
            drain_all()
        finally:
            task_started.disconnect(raise_error)
            task_finished.disconnect(raise_error)
        assert (defined.names(), defined.received) == (["a"], ["a"])
        assert caplog.text.count("receiver") >= 2

    def test_not_committed(self, told: list[Any]) -> None:
        """A run that rolls back in the end has not finished."""
        defined.acts.append(lambda: transaction.set_rollback(True))
        defined.make_group.using(backend="once").enqueue("a")
        drain_all()
        assert told == [
            ("started", "RUNNING", 1),
            ("finished", "FAILED", transaction.TransactionManagementError),
        ]


def raise_error(**kwargs: Any) -> None:
    """Be a receiver that fails."""
    raise ValueError("receiver")


class TestTimeLimit:
    """A time limit, which interrupts the thread that waits for a coroutine."""

    def test_coroutine(self) -> None:
        """The coroutine is cancelled, and doesn't go on beside the next attempt."""

        def interrupt(signum: int, frame: Any) -> None:
            raise SoftTimeLimitExceeded

        def wait_and_interrupt() -> None:
            wait_until(lambda: defined.received, 10, "the coroutine to begin")
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

        before = signal.signal(signal.SIGALRM, interrupt)
        thread = threading.Thread(target=wait_and_interrupt)
        try:
            result = defined.wait_long.using(backend="once").enqueue()
            thread.start()
            drain_all()
        finally:
            thread.join()
            signal.signal(signal.SIGALRM, before)
        result.refresh()
        assert result.errors[0].exception_class is SoftTimeLimitExceeded
        wait_until(lambda: defined.received == ["begun", "cancelled"], 10, "the cancellation")


class TestCeleryTask:
    """The Celery task behind it."""

    def test_options(self) -> None:
        """OPTIONS are the options of the Celery task."""
        options = {
            "atomic": False, "lease": 9, "max_retries": 3, "retry_backoff": 2, "time_limit": 7,
            "soft_time_limit": 5, "reject_on_worker_lost": True, "batch_size": 4,
        }  # fmt: skip
        with override_settings(TASKS={"default": {"BACKEND": BACKEND, "OPTIONS": options}}):
            defined.make_group.enqueue("a")
            of_task = vars(Options.of(find_task(MAKE_GROUP)))
        assert {name: of_task[name] for name in options} == options

    def test_changed_options(self) -> None:
        """OPTIONS that change, in a test, hold at once."""
        defined.make_group.enqueue("a")
        with override_settings(
            TASKS={"default": {"BACKEND": BACKEND, "OPTIONS": {"max_retries": 0}}}
        ):
            defined.make_group.enqueue("b")
            assert Options.of(find_task(MAKE_GROUP)).max_retries == 0

    def test_called_as_a_celery_task(self) -> None:
        """A durable call of the Celery task is one of the task."""
        defined.make_group.enqueue("a")
        call = call_on_commit(find_task(MAKE_GROUP), ["b"])
        drain_all()
        assert defined.names() == ["a", "b"]
        assert defined.make_group.get_result(call.id).return_value == "b"
