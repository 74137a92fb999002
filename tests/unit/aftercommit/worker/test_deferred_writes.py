"""Writes that a process keeps while the database is away."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import (
    DataError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker import deferred_writes, lease, outside_calls
from aftercommit.worker.deferred_writes import DeferredWrites
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.expired_leases import expire_leases
from aftercommit.worker.lease import Ended, Lease
from core.stack.waiting import wait_until
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

PENDING, RUNNING, UNCERTAIN, DEAD = OutboxCall.Status


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written in the background."""
    monkeypatch.setattr(DeferredWrites, "_start", lambda self: None)


class Away:
    """A database that is away while this says so: each step of a call's end fails."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        for name in ("rows_of", "take_back_attempt"):
            failing = self._failing(getattr(lease, name))
            patch.setattr(lease, name, failing)
            patch.setattr(outside_calls, name, failing)

    def _failing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if self.is_away:
                raise OperationalError("the connection is closed")
            return function(*args)

        return call

    def leave(self, *_: Any) -> None:
        """Be away from now on."""
        self.is_away = True


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """A database that is there, until it leaves."""
    return Away(monkeypatch)


def run(task: Any, seconds: float = 60) -> None:
    """Drain the task while the database goes away."""
    found = find_task(task.name)
    assert found
    with pytest.raises(OperationalError):
        drain_task(found, "default", seconds)


def end_lease() -> None:
    """Have the leases be over, and a sweep find that."""
    OutboxCall.objects.filter(status=RUNNING).update(available_at=Now() - timedelta(seconds=1))
    expire_leases("default")


@pytest.mark.usefixtures("by_hand")
class TestEndOfARun:
    """A run outside the database that ends while the database is away."""

    def fail(self, away: Away) -> Callable[[str], None]:
        """Return what makes a call fail as the database goes."""

        def act(name: str) -> None:
            away.leave()
            raise ValueError("no mail server")

        return act

    @pytest.mark.parametrize("is_over", [False, True])
    def test_failed(self, away: Away, is_over: bool) -> None:
        """One that failed is tried again, also if its lease was over in the meantime."""
        effects.act("a", self.fail(away))
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside)
        away.is_away = False
        if is_over:
            end_lease()
            assert OutboxCall.objects.get().status == UNCERTAIN
        assert deferred_writes.write_deferred()
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (PENDING, 1)
        assert "no mail server" in row.error

    def test_failed_by_its_own_cause(self, away: Away) -> None:
        """An error that is its own cause is kept as any other, and ends nobody's process."""

        def act(name: str) -> None:
            away.leave()
            error = ValueError("no mail server")
            raise error from error

        effects.act("a", act)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside)
        away.is_away = False
        assert deferred_writes.write_deferred()
        assert "no mail server" in OutboxCall.objects.get().error

    @pytest.mark.parametrize("is_over", [False, True])
    def test_done_as_the_time_was_up(self, away: Away, is_over: bool) -> None:
        """One that succeeded, the last of its drain, is settled."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        away.is_away = False
        if is_over:
            end_lease()
        assert deferred_writes.write_deferred()
        assert not OutboxCall.objects.exists()
        assert effects.received == ["a"]

    def test_may_run_again(self, away: Away) -> None:
        """So is one that may run again, as long as nobody has begun it: it doesn't run twice."""
        effects.act("a", away.leave)
        effects.send_again.delay_on_commit("a")
        run(effects.send_again, seconds=0)
        away.is_away = False
        end_lease()
        assert OutboxCall.objects.get().status == PENDING
        drain_all()
        assert effects.received == ["a"]
        assert not OutboxCall.objects.exists()

    def test_failed_and_may_run_again(self, away: Away) -> None:
        """Of one that failed, and whose lease was over, one attempt is counted."""
        effects.act("a", self.fail(away))
        effects.send_again.delay_on_commit("a")
        run(effects.send_again)
        away.is_away = False
        end_lease()
        assert OutboxCall.objects.get().attempts == 1
        deferred_writes.write_deferred()
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (PENDING, 1)
        assert "no mail server" in row.error

    def test_dead_by_then(self, away: Away) -> None:
        """One that succeeded is settled though its lost run was the last it was allowed."""
        effects.act("a", away.leave)
        effects.send_again.delay_on_commit("a")
        OutboxCall.objects.update(attempts=2)
        run(effects.send_again, seconds=0)
        away.is_away = False
        end_lease()
        assert OutboxCall.objects.get().status == DEAD
        deferred_writes.write_deferred()
        assert not OutboxCall.objects.exists()

    def test_begun_by_another(self, away: Away) -> None:
        """What another process has begun is left to that process."""
        effects.act("a", away.leave)
        effects.send_again.delay_on_commit("a")
        run(effects.send_again, seconds=0)
        away.is_away = False
        end_lease()
        Lease("default", effects.send_again.name, 60).take()
        assert deferred_writes.write_deferred()
        assert OutboxCall.objects.get().status == RUNNING

    @pytest.mark.only_on("postgres", reason="its servers can turn read-only while sessions go on")
    @pytest.mark.parametrize("fails", [True, False])
    def test_read_only(self, fails: bool) -> None:
        """A server that has turned read-only is told of the end once it can be written to."""

        def act(_: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = on")
            if fails:
                raise ValueError("no mail server")

        effects.act("a", act)
        effects.send_outside.delay_on_commit("a")
        try:
            with pytest.raises(InternalError, match="read-only"):
                drain_task(find_task(effects.send_outside.name), "default")
            assert not deferred_writes.write_deferred()
        finally:
            connection.close()  # a new one can write
        deferred_writes.write_deferred()
        left = list(OutboxCall.objects.values_list("status", "attempts"))
        assert left == ([(PENDING, 1)] if fails else [])

    def test_still_away(self, away: Away) -> None:
        """The end of a run is written once the database is there, however often it was not."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        for _ in range(3):
            assert not deferred_writes.write_deferred()
        away.is_away = False
        assert deferred_writes.write_deferred()
        assert not OutboxCall.objects.exists()

    def test_next_drain(self, away: Away) -> None:
        """The next drain of any task writes the end of a run."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        away.is_away = False
        effects.make_group.delay_on_commit("b")
        found = find_task(effects.make_group.name)
        assert found
        drain_task(found, "default")
        assert not OutboxCall.objects.exists()


class TestBackground:
    """The thread that tries what is kept."""

    def test_once_the_database_is_back(self, away: Away) -> None:
        """It writes the end of a run without any drain, and ends when nothing is left."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        assert OutboxCall.objects.get().status == RUNNING
        away.is_away = False
        wait_until(lambda: not OutboxCall.objects.exists(), 20, "the call to be settled")
        wait_until(lambda: deferred_writes._deferred._thread is None, 20, "the thread to end")

    def test_uses_no_connection_in_between(self) -> None:
        """It closes its connection after each try."""
        written = threading.Event()
        seen: list[Any] = []

        class Connecting(FakeWrite):
            def finish(self) -> bool:
                connections["default"].ensure_connection()
                seen.append(connections["default"])
                written.set()
                return True

        deferred_writes.defer(Connecting())
        assert written.wait(10)
        wait_until(lambda: deferred_writes._deferred._thread is None, 20, "the thread to end")
        assert seen[0].connection is None


class FakeWrite:
    """A write that raises ``error``, unless it is None."""

    using, task = "default", "a task"

    def __init__(self, using: str = "default", error: Exception | None = None) -> None:
        self.using, self.error = using, error
        self.tried = 0

    def finish(self) -> bool:
        """Count the tries."""
        self.tried += 1
        if self.error:
            raise self.error
        return True


@pytest.mark.usefixtures("by_hand")
class TestKept:
    """What is kept, and what is not."""

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
    def test_one_database_is_away(self, error: type[Exception]) -> None:
        """A database that is away is tried once, and another is written to all the same."""
        gone = [FakeWrite("gone", error("no server")) for _ in range(2)]
        here = FakeWrite()
        for write in (*gone, here):
            deferred_writes.write_or_defer(write)
        tried = [write.tried for write in gone]
        deferred_writes.write_deferred()
        assert [write.tried for write in gone] == [tried[0] + 1, tried[1]]
        assert deferred_writes._deferred.writes == gone

    def test_bounded(self, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
        """No more than MAX_WRITES are kept; the log names what is given up."""
        monkeypatch.setattr(deferred_writes, "MAX_WRITES", 2)
        writes = [FakeWrite(error=OperationalError("no server")) for _ in range(3)]
        for write in writes:
            deferred_writes.defer(write)
        assert deferred_writes._deferred.writes == writes[1:]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "How a run of a task ended can't be written" in record.getMessage()

    @pytest.mark.parametrize("error", [ValueError("a bug"), DataError("too long")])
    def test_no_outage(self, caplog: Any, error: Exception) -> None:
        """A write that can never succeed is logged with its traceback, and holds up no other."""
        other = FakeWrite()
        deferred_writes.defer(FakeWrite(error=error))
        deferred_writes.defer(other)
        assert deferred_writes.write_deferred()
        assert other.tried == 1
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info

    def test_at_the_end(self, caplog: Any) -> None:
        """A process that ends writes what it can, and logs what it can't."""
        here, gone = FakeWrite(), FakeWrite("gone", OperationalError("no server"))
        deferred_writes.defer(here)
        deferred_writes.defer(gone)
        deferred_writes.write_at_exit()
        assert here.tried == 1
        assert deferred_writes._deferred.writes == [gone]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "its process ends" in record.getMessage()

    def test_holds_no_variables(self) -> None:
        """The error of a run is kept with its traceback, but not with what the run had in hand."""

        class Big:
            pass

        def fail() -> None:
            big = Big()
            seen.append(weakref.ref(big))
            raise ValueError("no mail server")

        seen: list[Any] = []
        effects.send_outside.delay_on_commit("a")
        call, _ = Lease("default", effects.send_outside.name, 60).take()
        assert call
        try:
            fail()
        except ValueError as error:
            Ended(call, error, lambda *_: None).keep()
        gc.collect()
        assert seen[0]() is None
        (write,) = deferred_writes._deferred.writes
        assert isinstance(write, Ended)
        assert write.error
        assert write.error.__traceback__
