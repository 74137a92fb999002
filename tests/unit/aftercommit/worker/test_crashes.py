"""Crashes of processes that died, and those that were only believed: counted, and taken back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.operations.calls import retry_calls
from aftercommit.worker import deferred_writes
from aftercommit.worker.batch import Batch
from aftercommit.worker.claim import UnansweredClaim, claim_batch
from aftercommit.worker.crashes import clear_crash, recover_crashed
from aftercommit.worker.drain import drain_all
from core.stack.waiting import wait_until
from tests.connections import another, locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture
from tests.unit.aftercommit.observe import statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

TASK = effects.make_group.name
DEAD, PENDING = OutboxCall.Status.DEAD, OutboxCall.Status.PENDING
LATER = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _short_grace(settings: Any) -> None:
    settings.OUTBOX_CRASH_GRACE = 1


def enqueue(*names: str) -> list[OutboxCall]:
    """Commit a call for each name, and return their rows."""
    with transaction.atomic():
        for name in names:
            effects.make_group.delay_on_commit(name)
    return list(OutboxCall.objects.order_by("pk"))


def claimed() -> Batch:
    """Return a batch whose process looks dead: its journal is as old as the grace."""
    batch = claim_batch("default", TASK, 10)
    assert batch
    age_journals()
    return batch


def age_journals() -> None:
    """Have the journals be older than the grace."""
    OutboxBatch.objects.update(started_at=F("started_at") - timedelta(seconds=2))


def crashes() -> list[int]:
    """Return how often each call's process died."""
    return list(OutboxCall.objects.order_by("pk").values_list("crashes", flat=True))


@row_locks_only
@pytest.mark.usefixtures("_impatient")
class TestLocked:
    """Rows that another transaction has locked."""

    def test_in_company(self) -> None:
        """A call that is locked is counted by a later sweep, and none is counted twice."""
        _, b = enqueue("a", "b")
        claimed()
        with locking(b):
            for _ in range(2):
                assert recover_crashed("default") == 0
                assert crashes() == [1, 0]
            assert OutboxBatch.objects.exists()
        recover_crashed("default")
        assert crashes() == [1, 1]
        assert not OutboxBatch.objects.exists()

    def test_alone(self, settings: Any) -> None:
        """So is one that ran alone, which then is a dead letter."""
        settings.OUTBOX_MAX_CRASHES = 1
        (a,) = enqueue("a")
        claimed()
        with locking(a):
            assert recover_crashed("default") == 0
        assert recover_crashed("default") == 1
        assert not OutboxBatch.objects.exists()

    def test_settled_by_whoever_locked_it(self) -> None:
        """A call that another drain settles meanwhile leaves no journal behind."""
        (a,) = enqueue("a")
        claimed()
        with locking(a):
            recover_crashed("default")
        a.delete()
        recover_crashed("default")
        assert not OutboxBatch.objects.exists()

    def test_journal(self) -> None:
        """A journal that is locked is that of a process that lives."""
        enqueue("a")
        claimed()
        with locking(OutboxBatch.objects.get()):
            assert recover_crashed("default") == 0
        assert crashes() == [0]
        assert OutboxBatch.objects.exists()

    def test_taken_back(self) -> None:
        """A crash that can't be taken back yet, since others run the call, is so later."""
        a, _ = enqueue("a", "b")
        batch = claimed()
        recover_crashed("default")
        with locking(a):
            assert not batch.finish()
            assert crashes() == [1, 0]
        assert batch.finish()
        assert crashes() == [0, 0]

    def test_taken_back_in_the_background(self) -> None:
        """The process does so by itself, as soon as it can."""
        a, _ = enqueue("a", "b")
        batch = claimed()
        recover_crashed("default")
        with locking(a), transaction.atomic():
            assert len(batch.lock()) == 1
        wait_until(lambda: crashes() == [0, 0], 10, "the crash to be taken back")


class TestTakenBack:
    """A process that was taken for dead."""

    def test_other_crash(self) -> None:
        """It takes back the crash that was counted for its batch, and no other."""
        enqueue("a", "b")
        claimed()
        recover_crashed("default")
        batch = claimed()
        recover_crashed("default")
        assert sorted(crashes()) == [1, 2]
        batch.finish()
        assert crashes() == [1, 1]
        batch.finish()
        assert crashes() == [1, 1]

    def test_leaves_others_alone(self, settings: Any) -> None:
        """Whoever it knows nothing of stays a suspect, and a killer stays a dead letter."""
        settings.OUTBOX_MAX_CRASHES = 1
        suspect, killer, _ = enqueue("suspect", "killer", "a")
        OutboxCall.objects.filter(pk=suspect.pk).update(available_at=F("available_at") + LATER)
        OutboxCall.objects.filter(pk=suspect.pk).update(crashes=2, crashed_in=11)
        OutboxCall.objects.filter(pk=killer.pk).update(
            crashes=3, crashed_in=12, status=DEAD, error="It killed three processes."
        )
        batch = claimed()
        recover_crashed("default")
        assert crashes() == [2, 3, 1]
        assert batch.finish()
        assert crashes() == [2, 3, 0]
        row = OutboxCall.objects.get(pk=killer.pk)
        assert (row.status, row.error) == (DEAD, "It killed three processes.")

    def test_dead_by_then(self, settings: Any) -> None:
        """A call that became a dead letter by the crash is due again."""
        settings.OUTBOX_MAX_CRASHES = 1
        enqueue("a")
        batch = claimed()
        assert recover_crashed("default") == 1
        batch.finish()
        row = OutboxCall.objects.get()
        assert (row.status, row.crashes, row.error) == (PENDING, 0, "")

    def test_made_as_new(self, settings: Any) -> None:
        """One that an operator has made as new has no crash to be taken back."""
        settings.OUTBOX_MAX_CRASHES = 1
        enqueue("a")
        batch = claimed()
        recover_crashed("default")
        retry_calls(OutboxCall.objects.all())
        assert batch.finish()
        assert crashes()[0] == 0


class TestAnswerLost:
    """A claim that the server carried out, and whose answer never came."""

    @pytest.fixture(autouse=True)
    def _no_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next drain writes what was deferred."""
        monkeypatch.setattr(deferred_writes.DeferredWrites, "_start", lambda self: None)

    def lose_answer(self, when: str = "after") -> None:
        """Claim what is due, and lose the answer, before or after the server carries it out."""
        real = connection.outbox_ops.claim

        def claim_and_lose(*args: Any) -> Any:
            if when == "after":
                real(*args)
            raise OperationalError("server closed the connection unexpectedly")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection.outbox_ops, "claim", claim_and_lose)
            with pytest.raises(OperationalError):
                claim_batch("default", TASK, 10)

    @pytest.mark.parametrize("times", [1, 3])
    def test_is_no_crash(self, times: int) -> None:
        """The process knows the journal's id, and deletes the journal before it counts."""
        enqueue("a")
        for _ in range(times):
            self.lose_answer()
            assert OutboxBatch.objects.exists()
            deferred_writes.write_deferred()
            age_journals()
            recover_crashed("default")
        assert crashes() == [0]
        assert not OutboxBatch.objects.exists()
        assert deferred_writes._deferred.writes == []

    def test_next_drain(self) -> None:
        """So does the next drain of any task in the process."""
        enqueue("a")
        self.lose_answer()
        assert drain_all().settled == 1
        assert not OutboxBatch.objects.exists()

    def test_after_the_sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that could say so only after a sweep takes the crash back."""
        enqueue("a", "b")
        self.lose_answer()
        age_journals()
        recover_crashed("default")
        assert crashes() == [1, 1]
        deferred_writes.write_deferred()  # the claim may still be under way
        assert crashes() == [1, 1]
        monkeypatch.setattr(deferred_writes, "IN_FLIGHT_SECONDS", 0)
        deferred_writes.write_deferred()
        assert crashes() == [0, 0]
        assert deferred_writes._deferred.writes == []

    def test_arrives_late(self) -> None:
        """A claim that the server carries out after it was asked for its journal is found later."""
        enqueue("a")
        self.lose_answer(when="before")
        deferred_writes.write_deferred()
        (write,) = deferred_writes._deferred.writes
        assert isinstance(write, UnansweredClaim)
        OutboxBatch.objects.create(pk=write.journal, task=TASK, calls=[], worker="late")
        deferred_writes.write_deferred()
        assert not OutboxBatch.objects.exists()
        assert deferred_writes._deferred.writes == []

    def test_no_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server that isn't reached has journaled nothing: there is nothing to tell."""
        enqueue("a")

        def fail(*_: object) -> None:
            raise OperationalError("connection refused")

        with monkeypatch.context() as patch:
            patch.setattr(type(connections["default"]), "ensure_connection", fail)
            with pytest.raises(OperationalError):
                claim_batch("default", TASK, 10)
        assert deferred_writes._deferred.writes == []


class TestNothingLeft:
    """A sweep that finds nothing to recover."""

    def test_opens_no_transaction(self) -> None:
        """It asks, and begins no transaction, for which SQLite would have it wait."""
        enqueue("a")
        with statements() as seen:
            recover_crashed("default")
            assert clear_crash("default", 1)
        assert not [each for each in seen if each.startswith(("BEGIN", "UPDATE", "DELETE"))]

    @pytest.mark.only_on("sqlite", reason="only a file has one writer")
    def test_beside_a_writer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On SQLite it doesn't wait for whoever writes."""
        from aftercommit.worker.sweep import recover

        enqueue("a")
        connection.close()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
        with another() as other, other.cursor() as cursor:
            cursor.execute("UPDATE aftercommit_outboxcall SET error = ''")
            assert recover("default") == 0
        connection.close()
