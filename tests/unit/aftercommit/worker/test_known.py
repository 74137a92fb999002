"""What a process knows of its calls while the database is away."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError, connections
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker import known, lease
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.known import Known
from aftercommit.worker.lease import Ended, Lease, expire_leases
from core.stack.waiting import wait_until
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

PENDING, RUNNING, UNCERTAIN, DEAD = OutboxCall.Status


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told in the background."""
    monkeypatch.setattr(Known, "_start", lambda self: None)


class Away:
    """A database that is away while this says so: each step of a call's end fails."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        for name in ("rows_of", "take_back_attempt"):
            patch.setattr(lease, name, self._failing(getattr(lease, name)))
            patch.setattr(f"aftercommit.worker.drain.{name}", self._failing(getattr(lease, name)))

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
        assert known.tell_all()
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (PENDING, 1)
        assert "no mail server" in row.error

    @pytest.mark.parametrize("is_over", [False, True])
    def test_done_as_the_time_was_up(self, away: Away, is_over: bool) -> None:
        """One that succeeded, the last of its drain, is settled."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        away.is_away = False
        if is_over:
            end_lease()
        assert known.tell_all()
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
        known.tell_all()
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
        known.tell_all()
        assert not OutboxCall.objects.exists()

    def test_begun_by_another(self, away: Away) -> None:
        """What another process has begun is left to that process."""
        effects.act("a", away.leave)
        effects.send_again.delay_on_commit("a")
        run(effects.send_again, seconds=0)
        away.is_away = False
        end_lease()
        Lease("default", effects.send_again.name, 60).take()
        assert known.tell_all()
        assert OutboxCall.objects.get().status == RUNNING

    def test_still_away(self, away: Away) -> None:
        """It is told once the database is there, however often it was not."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        for _ in range(3):
            assert not known.tell_all()
        away.is_away = False
        assert known.tell_all()
        assert not OutboxCall.objects.exists()

    def test_next_drain(self, away: Away) -> None:
        """The next drain tells it, whatever task it is of."""
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
    """The thread that tells what is kept."""

    def test_once_the_database_is_back(self, away: Away) -> None:
        """It tells it without any drain, and ends when nothing is left."""
        effects.act("a", away.leave)
        effects.send_outside.delay_on_commit("a")
        run(effects.send_outside, seconds=0)
        assert OutboxCall.objects.get().status == RUNNING
        away.is_away = False
        wait_until(lambda: not OutboxCall.objects.exists(), 20, "the call to be settled")
        wait_until(lambda: known._known._thread is None, 20, "the thread to end")

    def test_uses_no_connection_in_between(self) -> None:
        """It closes its connection after each try."""
        told = threading.Event()
        seen: list[Any] = []

        class Fact(Something):
            def forget(self) -> bool:
                connections["default"].ensure_connection()
                seen.append(connections["default"])
                told.set()
                return True

        known.keep(Fact())
        assert told.wait(10)
        wait_until(lambda: known._known._thread is None, 20, "the thread to end")
        assert seen[0].connection is None


class Something:
    """A fact; ``error`` is what telling it raises, until it is None."""

    using, task = "default", "a task"

    def __init__(self, using: str = "default", error: Exception | None = None) -> None:
        self.using, self.error = using, error
        self.tried = 0

    def forget(self) -> bool:
        """Count the tries."""
        self.tried += 1
        if self.error:
            raise self.error
        return True


@pytest.mark.usefixtures("by_hand")
class TestKept:
    """What is kept, and what is not."""

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_one_database_is_away(self, error: type[Exception]) -> None:
        """A database that is away is tried once, and another is told all the same."""
        gone = [Something("gone", error("no server")) for _ in range(2)]
        here = Something()
        for fact in (*gone, here):
            known.tell(fact)
        tried = [fact.tried for fact in gone]
        known.tell_all()
        assert [fact.tried for fact in gone] == [tried[0] + 1, tried[1]]
        assert known._known.facts == gone

    def test_bounded(self, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
        """No more than LIMIT are kept; the log names what is given up."""
        monkeypatch.setattr(known, "LIMIT", 2)
        facts = [Something(error=OperationalError("no server")) for _ in range(3)]
        for fact in facts:
            known.keep(fact)
        assert known._known.facts == facts[1:]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "What is known of a run of a task can't be told" in record.getMessage()

    @pytest.mark.parametrize("error", [ValueError("a bug"), DataError("too long")])
    def test_no_outage(self, caplog: Any, error: Exception) -> None:
        """What can never be told is logged with its traceback, and keeps no other from being."""
        other = Something()
        known.keep(Something(error=error))
        known.keep(other)
        assert known.tell_all()
        assert other.tried == 1
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info

    def test_at_the_end(self, caplog: Any) -> None:
        """A process that ends tells what it can, and logs what it can't."""
        here, gone = Something(), Something("gone", OperationalError("no server"))
        known.keep(here)
        known.keep(gone)
        known.tell_at_the_end()
        assert here.tried == 1
        assert known._known.facts == [gone]
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
        (fact,) = known._known.facts
        assert isinstance(fact, Ended)
        assert fact.error
        assert fact.error.__traceback__
