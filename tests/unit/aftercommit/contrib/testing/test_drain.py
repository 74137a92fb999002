"""``outbox.drain()``: run a test's calls through the engine of a worker."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from celery import shared_task
from celery.exceptions import Reject
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import TestCase
from django.utils import timezone

from aftercommit.context import Context, use
from aftercommit.contrib.testing import Outbox, worker
from aftercommit.contrib.testing.clock import pass_time, time_until_next
from aftercommit.contrib.testing.databases import usable_aliases
from aftercommit.contrib.testing.worker import EndlessCalls
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.outbox.wake import flush_wake_ups
from tests.unit.aftercommit import effects

make_group = effects.make_group
HOUR = timedelta(hours=1)

both_kinds = pytest.mark.parametrize(
    "commits",
    [
        pytest.param(False, marks=pytest.mark.django_db, id="TestCase"),
        pytest.param(True, marks=pytest.mark.django_db(transaction=True), id="TransactionTestCase"),
    ],
)
told: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    told.clear()


@shared_task
def call_another(name: str, countdown: float = 0) -> None:
    """Make a call in a call, and have the commit of this one tell."""
    transaction.on_commit(lambda: told.append(name))
    make_group.apply_async_on_commit((name,), countdown=countdown)


@shared_task(atomic=False)
def write_durably(name: str) -> None:
    """Write in a transaction of its own, which Django refuses within another."""
    with transaction.atomic(durable=True):
        Group.objects.create(name=name)
        transaction.on_commit(lambda: told.append(name))


@shared_task(atomic=False, max_retries=0)
def write_twice(name: str, caught: bool) -> None:
    """Have a statement fail, outside any block."""
    Group.objects.create(name=name)
    with contextlib.suppress(*[IntegrityError] * caught):
        Group.objects.create(name=name)
    told.append(name)


@shared_task(atomic=False, max_retries=0)
def ask_wrongly(caught: bool) -> None:
    """Have a statement of one's own fail."""
    with contextlib.suppress(*[DatabaseError] * caught), connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    told.append("asked")


@shared_task
def repeat() -> None:
    """Never end."""
    repeat.apply_async_on_commit(countdown=60)


@shared_task(bind=True, max_retries=50, retry_backoff=False, default_retry_delay=60)
def poll(self: Any) -> None:
    """Ask to be called again, without an error, until the third time."""
    told.append(self.request.retries)
    if self.request.retries < 2:
        raise self.retry()


@shared_task
def call_back(name: str) -> None:
    """Have the commit raise."""
    transaction.on_commit(lambda: told.append(name))
    transaction.on_commit(lambda: int(name))


@shared_task(retry_backoff=100)
def retry_with_jitter(name: str) -> None:
    """Fail, and be tried again after a pause by chance."""
    int("no number")


@shared_task(autoretry_for=(ValueError,), retry_backoff=100)
def retry_by_celery(name: str) -> None:
    """Fail in the way that Celery itself makes a retry of."""
    int("no number")


@shared_task(rate_limit="1/h")
def take_slowly(name: str) -> None:
    """Be called rarely, by a worker."""
    told.append(name)


@shared_task
def reject() -> None:
    """Refuse the call."""
    raise Reject("no", requeue=False)


@both_kinds
class TestDrain:
    """In a TestCase, which never commits, and in one that does."""

    @pytest.fixture(autouse=True)
    def _no_sleep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing in a drain may wait."""

        def refuse(seconds: float) -> None:
            raise AssertionError(f"slept for {seconds} s")

        monkeypatch.setattr("time.sleep", refuse)

    @pytest.mark.every_database
    def test_due(self, outbox: Outbox, commits: bool) -> None:
        """What is due runs, and leaves no row."""
        make_group.delay_on_commit("a")
        effects.make_groups.delay_on_commit(name="b")
        effects.name_group.delay_on_commit(name="c")
        report = outbox.drain()
        assert sorted(effects.names()) == ["a", "b", "c"]
        assert (report.done, report.retried, report.dead, report.expired) == (3, 0, 0, 0)
        assert not OutboxCall.objects.exists()
        assert not OutboxBatch.objects.exists()

    def test_nothing(self, outbox: Outbox, commits: bool) -> None:
        """A drain of nothing does nothing."""
        assert outbox.drain().done == 0
        assert outbox.drain(later=True, raise_errors=False).done == 0

    def test_again(self, outbox: Outbox, commits: bool) -> None:
        """A second drain runs what came since the first."""
        make_group.delay_on_commit("a")
        outbox.drain()
        make_group.delay_on_commit("b")
        assert outbox.drain().done == 1
        assert effects.names() == ["a", "b"]

    def test_context(self, outbox: Outbox, commits: bool) -> None:
        """A call runs in the context that it was made with."""
        with use(Context("7", "ann")):
            make_group.delay_on_commit("a")
        outbox.drain()
        assert effects.contexts == [Context("7", "ann")]

    def test_calls_of_calls(self, outbox: Outbox, commits: bool) -> None:
        """The calls that a call makes run too, and its on_commit callbacks do so once."""
        call_another.delay_on_commit("a")
        with TestCase.captureOnCommitCallbacks(execute=True):
            outbox.drain()
        assert (effects.names(), told) == (["a"], ["a"])
        assert len(outbox.calls) == 2

    def test_outside(self, outbox: Outbox, commits: bool) -> None:
        """A call with outside effects has no block around it, and its callbacks run."""
        write_durably.delay_on_commit("a")
        effects.send_outside.delay_on_commit("b")
        assert outbox.drain().done == 2
        assert (effects.names(), told, effects.received) == (["a"], ["a"], ["b"])

    def test_rate_limit(self, outbox: Outbox, commits: bool) -> None:
        """A rate limit, which is a worker's, holds nothing up."""
        for name in ("a", "b", "c"):
            take_slowly.delay_on_commit(name)
        outbox.drain()
        assert told == ["a", "b", "c"]

    def test_within_a_block(self, outbox: Outbox, commits: bool) -> None:
        """A drain where calls may yet be undone is refused."""
        with transaction.atomic():
            make_group.delay_on_commit("a")
            with pytest.raises(transaction.TransactionManagementError, match="after the block"):
                outbox.drain()
        assert outbox.drain().done == 1

    def test_undone(self, outbox: Outbox, commits: bool) -> None:
        """A call that was rolled back doesn't run."""
        with transaction.atomic():
            make_group.delay_on_commit("a")
            transaction.set_rollback(True)
        assert outbox.drain(later=True).done == 0

    def test_not_due(self, outbox: Outbox, commits: bool) -> None:
        """A later call stays where nothing asks for it."""
        make_group.apply_async_on_commit(("a",), countdown=60)
        assert outbox.drain().done == 0
        assert OutboxCall.objects.count() == 1

    def test_without_a_broker(
        self, outbox: Outbox, commits: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody is woken."""
        sent: list[Any] = []
        monkeypatch.setattr("aftercommit.outbox.wake.publish", lambda *call: sent.append(call))
        with transaction.atomic():
            make_group.delay_on_commit("a")
        outbox.drain()
        assert flush_wake_ups(0)
        assert sent == []


@pytest.mark.every_database
@both_kinds
class TestLater:
    """The clock."""

    def test_later(self, outbox: Outbox, commits: bool) -> None:
        """Calls run in the order of their times."""
        make_group.apply_async_on_commit(("c",), countdown=7200)
        make_group.apply_async_on_commit(("b",), eta=timezone.now() + HOUR)
        make_group.delay_on_commit("a")
        assert outbox.drain(later=True).done == 3
        assert effects.received == ["a", "b", "c"]

    def test_calls_of_later_calls(self, outbox: Outbox, commits: bool) -> None:
        """A time that a call gives counts from when it runs."""
        call_another.apply_async_on_commit(("c",), {"countdown": 3600}, countdown=3600)
        make_group.apply_async_on_commit(("b",), countdown=5400)
        outbox.drain(later=True)
        assert effects.received == ["b", "c"]

    def test_until(self, outbox: Outbox, commits: bool) -> None:
        """What is due within the time runs. The time has passed then."""
        for hours in (1, 2, 3):
            make_group.apply_async_on_commit((f"{hours}",), countdown=hours * 3600)
        outbox.drain(until=HOUR * 1.5)
        assert effects.names() == ["1"]
        outbox.drain(until=HOUR)
        assert effects.names() == ["1", "2"]

    def test_until_a_time(self, outbox: Outbox, commits: bool) -> None:
        """A time of the clock is the same whatever drains came before."""
        now = timezone.now()
        for hours in (1, 2, 3):
            make_group.apply_async_on_commit((f"{hours}",), countdown=hours * 3600)
        outbox.drain(until=now + HOUR * 1.5)
        outbox.drain(until=now + HOUR * 1.5)
        outbox.drain(until=now)
        assert effects.names() == ["1"]
        outbox.drain(until=now + HOUR * 2.5)
        assert effects.names() == ["1", "2"]

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"later": True, "until": HOUR}, "one of the two"),
            ({"until": datetime(2030, 1, 1)}, "time zone"),
            ({"until": 60}, "timedelta"),
            ({"until": -HOUR}, "expected 0 to 36,500 days"),
            ({"until": timedelta.max}, "expected 0 to 36,500 days"),
            ({"until": datetime.max.replace(tzinfo=UTC)}, "expected 0 to 36,500 days"),
        ],
    )
    def test_refused(
        self, outbox: Outbox, commits: bool, options: dict[str, Any], text: str
    ) -> None:
        """A time that says nothing, and one that can't pass, is refused."""
        with pytest.raises((TypeError, ValueError), match=text):
            outbox.drain(**options)

    def test_retries(self, outbox: Outbox, commits: bool) -> None:
        """Retries run at their time, with their count, until the call succeeds."""
        poll.delay_on_commit()
        report = outbox.drain()
        assert (told, report.retried, report.failures) == ([0], 1, [])
        report = outbox.drain(later=True)
        assert (told, report.retried, report.done) == ([0, 1, 2], 1, 1)

    def test_succeeds_at_last(self, outbox: Outbox, commits: bool) -> None:
        """An error of a call that then succeeded is not raised."""
        fail: Callable[[Any], Any] = lambda _: 1 / (len(effects.received) - 1)  # noqa: E731
        effects.act("a", fail)
        make_group.delay_on_commit("a")
        assert outbox.drain().retried == 1
        assert effects.names() == ["a"]

    def test_by_no_chance(self, outbox: Outbox, commits: bool) -> None:
        """A retry waits for its whole backoff, so that a drain does the same each time."""
        for number in range(3):
            retry_with_jitter.delay_on_commit(f"{number}")
            retry_by_celery.delay_on_commit(f"{number}")
        assert outbox.drain(raise_errors=False).retried == 6
        assert outbox.drain(until=timedelta(seconds=90), raise_errors=False).retried == 0
        assert outbox.drain(until=timedelta(seconds=20), raise_errors=False).retried == 6

    def test_until_dead(self, outbox: Outbox, commits: bool) -> None:
        """A call that goes on to fail has all its attempts, and is a dead letter."""
        effects.act("a", lambda _: 1 / 0)
        effects.make_group_bound.delay_on_commit("a")
        effects.act("b", lambda _: 1 / 0)
        effects.send_again.delay_on_commit("b")
        report = outbox.drain(later=True, raise_errors=False)
        assert report.dead == 2
        assert effects.received.count("b") == 3
        assert {failed.status for failed in report.failures} == {"dead"}

    def test_due_while_it_looks(
        self, outbox: Outbox, commits: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that becomes due between two looks is not missed."""
        looks: list[str] = []

        def look(using: str) -> timedelta | None:
            if not looks:
                pass_time(using, timedelta(seconds=61))
            looks.append(using)
            return time_until_next(using)

        monkeypatch.setattr(worker, "time_until_next", look)
        make_group.apply_async_on_commit(("a",), countdown=60)
        assert outbox.drain(later=True).done == 1

    def test_endless(self, outbox: Outbox, commits: bool) -> None:
        """A call that goes on for ever is given up by name."""
        repeat.delay_on_commit()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "MAX_ROUNDS", 20)
            with pytest.raises(EndlessCalls, match="repeat"):
                outbox.drain(later=True)
        OutboxCall.objects.all().delete()
        repeat.delay_on_commit()
        assert outbox.drain(until=timedelta(seconds=150)).done == 3

    def test_expired(self, outbox: Outbox, commits: bool) -> None:
        """A call that has waited for longer than it may doesn't run."""
        late: dict[str, Any] = {"countdown": 3600}
        make_group.apply_async_on_commit(("a",), expires=1800, **late)
        make_group.apply_async_on_commit(
            ("b",), expires=timezone.now() + HOUR / 2, headers={"x": 1}, **late
        )
        make_group.apply_async_on_commit(("c",), expires=timezone.now() + 2 * HOUR, **late)
        make_group.apply_async_on_commit(("d",), expires=5400, **late)
        report = outbox.drain(later=True)
        assert (report.expired, report.done) == (2, 2)
        assert sorted(effects.received) == ["c", "d"]

    def test_lease_and_journal(self, outbox: Outbox, commits: bool) -> None:
        """What a lost process left is found when its time is over."""
        OutboxCall.objects.create(
            task=effects.send_outside.name, payload='[["x"], {}]', context='["", "", "", ""]',
            status="running", available_at=Now() + timedelta(seconds=120),
        )  # fmt: skip
        OutboxBatch.objects.create(task=make_group.name, calls=[], worker="lost")
        outbox.drain(until=timedelta(seconds=60))
        assert OutboxCall.objects.get().status == "running"
        outbox.drain(until=timedelta(seconds=60))
        outbox.drain()
        assert OutboxCall.objects.get().status == "uncertain"
        assert not OutboxBatch.objects.exists()


@both_kinds
class TestErrors:
    """What calls raise."""

    @pytest.fixture(autouse=True)
    def _not_due_in_the_same_drain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Try a call that failed again after an hour: on a busy machine a second is soon over."""
        task = find_task(effects.make_group_patiently.name)
        monkeypatch.setattr(task, "retry_backoff", 3600, raising=False)

    def test_one(self, outbox: Outbox, commits: bool) -> None:
        """One error is raised as it is, with a note that names its call."""
        effects.act("a", lambda _: 1 / 0)
        call = effects.make_group_patiently.delay_on_commit("a")
        make_group.delay_on_commit("b")
        with pytest.raises(ZeroDivisionError) as raised:
            outbox.drain()
        (note,) = raised.value.__notes__
        assert note == (
            "Raised by the call tests.unit.aftercommit.effects.make_group_patiently('a') "
            f"[{call.id}] waits to be tried again."
        )
        assert effects.names() == ["b"]

    def test_several(self, outbox: Outbox, commits: bool) -> None:
        """Several are raised as a group, after all calls were tried."""
        for name in ("a", "b"):
            effects.act(name, lambda name: {}[name])
            effects.make_group_patiently.delay_on_commit(name)
        reject.delay_on_commit()
        with pytest.raises(ExceptionGroup) as raised:
            outbox.drain()
        fates = {type(error): error.__notes__[0] for error in raised.value.exceptions}
        assert len(raised.value.exceptions) == 3
        assert fates[Reject].endswith("is a dead letter now.")
        assert fates[KeyError].endswith("waits to be tried again.")

    @pytest.mark.every_database
    @pytest.mark.parametrize("caught", [False, True])
    def test_of_statements_outside(self, outbox: Outbox, commits: bool, caught: bool) -> None:
        """A statement of an outside call that fails spoils nothing else."""
        write_twice.delay_on_commit("a", caught)
        ask_wrongly.delay_on_commit(caught)
        make_group.delay_on_commit("b")
        report = outbox.drain(raise_errors=False)
        assert (report.done, report.dead) == ((3, 0) if caught else (1, 2))
        assert all(isinstance(failed.error, DatabaseError) for failed in report.failures)
        assert sorted(told) == (["a", "asked"] if caught else [])
        assert "b" in effects.names()

    def test_report(self, outbox: Outbox, commits: bool) -> None:
        """Asked for, the report has them instead."""
        effects.act("a", lambda _: 1 / 0)
        effects.make_group_patiently.delay_on_commit("a")
        report = outbox.drain(raise_errors=False)
        (failed,) = report.failures
        assert (failed.call.args, type(failed.error)) == (["a"], ZeroDivisionError)
        assert (failed.status, report.retried) == ("pending", 1)

    def test_of_a_callback(
        self, outbox: Outbox, commits: bool, django_capture_on_commit_callbacks: Any
    ) -> None:
        """An on_commit callback that raises runs once, and leaves nothing behind."""
        call_back.delay_on_commit("a")
        with django_capture_on_commit_callbacks(execute=True):
            with contextlib.suppress(ValueError):
                outbox.drain()
            assert outbox.drain().done == 0
        assert told == ["a"]

    def test_of_a_statement(self, outbox: Outbox, commits: bool) -> None:
        """The test's own connection can be used after an error."""
        effects.act("a", lambda _: connection.cursor().execute("SELECT nothing FROM nowhere"))
        make_group.delay_on_commit("a")
        report = outbox.drain(later=True, raise_errors=False)
        assert report.dead == 1
        assert effects.names() == []


class TestDatabases:
    """Which databases a drain looks at."""

    @pytest.mark.django_db
    def test_without_an_outbox(self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """A drain that would look at none is refused."""
        monkeypatch.setattr(connection, "has_outbox", False)
        with pytest.raises(ImproperlyConfigured, match="ENGINE"):
            outbox.drain()

    @pytest.mark.django_db
    def test_mirror(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mirror is left to the database that it mirrors."""
        assert usable_aliases() == ["default"]
        monkeypatch.setitem(connection.settings_dict["TEST"], "MIRROR", "another")
        assert usable_aliases() == []

    def test_none(self, outbox: Outbox) -> None:
        """A test without a database is told so by pytest-django."""
        with pytest.raises(RuntimeError, match="Database access not allowed"):
            outbox.drain()


@pytest.mark.django_db(transaction=True)
class TestAsync:
    """From a coroutine."""

    async def _drain(self, outbox: Outbox) -> int:
        await make_group.adelay_on_commit("a")
        return (await outbox.adrain(later=True)).done

    def test_adrain(self, outbox: Outbox) -> None:
        """``adrain`` is awaited."""
        assert async_to_sync(self._drain)(outbox) == 1
        assert effects.names() == ["a"]
