"""Which calls a drain runs next, and what a process that died leaves behind."""

import os
import socket
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.drain import drain_all
from aftercommit.worker.due import due_calls
from tests.connections import locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

TASK = effects.make_group.name
LONG_AGO = Now() - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _short_grace(settings: Any) -> None:
    """A journal counts after a second, on any database."""
    settings.OUTBOX_CRASH_GRACE = 1


def enqueue(*names: str) -> None:
    """A call for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            effects.make_group.delay_on_commit(name)


def ids() -> list[int]:
    """The outbox's rows, oldest first."""
    return list(OutboxCall.objects.order_by("pk").values_list("pk", flat=True))


def die(size: int = 10) -> None:
    """As a process killed in a batch: its transaction is gone, its journal is not."""
    assert claim_batch("default", TASK, size)
    OutboxBatch.objects.update(started_at=F("started_at") - timedelta(seconds=2))


class TestClaimBatch:
    """``claim_batch``."""

    def test_oldest_first(self) -> None:
        """The oldest due calls of the task come first, as many as are asked for."""
        enqueue("a", "b", "c")
        batch = claim_batch("default", TASK, 2)
        assert batch
        assert (list(batch.ids), batch.more) == (ids()[:2], True)

    def test_due_before_id(self) -> None:
        """Due longest counts, not stored first: a retried call takes its turn."""
        enqueue("a", "b")
        OutboxCall.objects.filter(pk=ids()[0]).update(available_at=Now())
        batch = claim_batch("default", TASK, 10)
        assert batch
        assert (list(batch.ids), batch.more) == (ids()[::-1], False)

    def test_not_due(self) -> None:
        """What is not due, held or another task's is not claimed."""
        enqueue("later", "dead", "running")
        later, dead, running = ids()
        OutboxCall.objects.filter(pk=later).update(available_at=Now() + timedelta(seconds=60))
        OutboxCall.objects.filter(pk=dead).update(status=OutboxCall.Status.DEAD)
        OutboxCall.objects.filter(pk=running).update(status=OutboxCall.Status.RUNNING)
        effects.make_groups.delay_on_commit(name="other")
        assert claim_batch("default", TASK, 10) is None
        assert not OutboxBatch.objects.exists()

    @pytest.mark.every_database
    @pytest.mark.parametrize(
        "values",
        [
            {"status": OutboxCall.Status.DEAD},
            {"status": OutboxCall.Status.RUNNING},
            {"status": OutboxCall.Status.UNCERTAIN},
            {"available_at": Now() + timedelta(hours=1)},
            {"task": "tests.renamed"},
        ],
    )
    def test_changed_since(self, values: dict[str, Any]) -> None:
        """A call that was put off, held or taken over since the claim is left as it is."""
        enqueue("changed", "a")
        changed, other = ids()
        batch = claim_batch("default", TASK, 10)
        assert batch
        OutboxCall.objects.filter(pk=changed).update(**values)
        with transaction.atomic():
            assert [call.pk for call in batch.lock()] == [other]

    @row_locks_only
    @pytest.mark.usefixtures("_impatient")
    def test_passes_over_what_is_locked(self) -> None:
        """A call that somebody has locked holds up no claim, nor the lock that follows."""
        enqueue("locked", "a", "b")
        with locking(OutboxCall.objects.earliest("pk")):
            batch = claim_batch("default", TASK, 2)
            assert batch
            assert list(batch.ids) == ids()[1:]
        with locking(OutboxCall.objects.latest("pk")), transaction.atomic():
            assert [call.pk for call in batch.lock()] == ids()[1:2]

    def test_claimed_by_another(self) -> None:
        """A batch that another drain has settled meanwhile is empty."""
        enqueue("a")
        batch = claim_batch("default", TASK, 10)
        assert batch
        drain_all()
        with transaction.atomic():
            assert batch.lock() == []

    def test_reads_in_the_order_of_an_index(self) -> None:
        """A claim reads an index in its order and sorts nothing."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET enable_seqscan = off")
            plan = due_calls("default", TASK)[:500].explain()
            if connection.vendor == "postgresql":
                cursor.execute("RESET enable_seqscan")
        assert "outbox_pending" in plan
        assert "sort" not in plan.lower()
        assert "b-tree" not in plan.lower()


class TestRecoverCrashed:
    """``recover_crashed``."""

    def test_rows_are_free_at_once(self) -> None:
        """The calls of a process that died run again at once, without waiting to be recovered."""
        enqueue("a", "b")
        assert claim_batch("default", TASK, 10)
        assert drain_all().settled == 2
        assert effects.names() == ["a", "b"]
        OutboxBatch.objects.all().delete()

    def test_running_batch(self) -> None:
        """A batch that has just started is not taken for a dead one."""
        enqueue("a")
        assert claim_batch("default", TASK, 10)
        assert recover_crashed("default") == 0
        assert OutboxBatch.objects.exists()
        assert OutboxCall.objects.get().crashes == 0

    def test_journals_of_the_living(self) -> None:
        """Only the journal of the process that died goes: others say who runs what."""
        enqueue("a")
        die()
        enqueue("b")
        living = claim_batch("default", TASK, 10)
        assert living
        recover_crashed("default")
        assert list(OutboxBatch.objects.values_list("pk", flat=True)) == [living.journal]

    def test_suspects_run_alone(self) -> None:
        """After a crash each call of the batch runs alone, then settles as any other."""
        enqueue("a", "b")
        die()
        recover_crashed("default")
        enqueue("c")
        assert list(OutboxCall.objects.order_by("pk").values_list("crashes", flat=True)) == [
            1,
            1,
            0,
        ]
        stored, batches = ids(), []
        while batch := claim_batch("default", TASK, 10):
            batches.append(list(batch.ids))
            OutboxCall.objects.filter(pk__in=batch.ids).delete()
            batch.finish()
        assert batches == [[pk] for pk in stored]

    def test_killer_is_a_dead_letter(self, settings: Any) -> None:
        """A call that kills its process ends as a dead letter that says so; the others settle."""
        settings.OUTBOX_MAX_CRASHES = 3
        enqueue("killer", "a")
        die()
        assert recover_crashed("default") == 0
        for dead in (0, 1):
            die()
            assert recover_crashed("default") == dead
        row = OutboxCall.objects.get(status=OutboxCall.Status.DEAD)
        assert "killer" in row.payload
        assert "Its process died 3 times" in row.error
        assert f"last in {socket.gethostname()}:{os.getpid()}" in row.error
        assert drain_all().settled == 1
        assert effects.names() == ["a"]

    def test_many_crashes_at_once(self) -> None:
        """Journals that piled up count as one crash: the killer may be a neighbour."""
        enqueue("a", "b")
        for _ in range(5):
            die()
        assert recover_crashed("default") == 0
        assert set(OutboxCall.objects.values_list("crashes", flat=True)) == {1}
        assert not OutboxBatch.objects.exists()

    def test_one_crash_after_the_other(self) -> None:
        """A crash in company is counted once, however many sweeps find one: it may be innocent."""
        enqueue("a", "b")
        for _ in range(3):
            claim_batch("default", TASK, 10)
        for journal in OutboxBatch.objects.order_by("pk").values_list("pk", flat=True):
            OutboxBatch.objects.filter(pk=journal).update(started_at=LONG_AGO)
            assert recover_crashed("default") == 0
            assert set(OutboxCall.objects.values_list("crashes", flat=True)) == {1}
        assert not OutboxBatch.objects.exists()

    def test_alone_after_company(self) -> None:
        """The crash in company makes the call run alone; the one that it then had is its own."""
        enqueue("killer", "a")
        killer, other = ids()
        for calls in ([killer], [killer, other]):  # whichever is found first
            OutboxBatch.objects.create(task=TASK, calls=calls, worker="w", started_at=LONG_AGO)
        recover_crashed("default")
        found = OutboxCall.objects.order_by("pk").values_list("crashes", flat=True)
        assert list(found) == [2, 1]

    def test_company_of_a_killer(self) -> None:
        """What ran alone when its process died keeps that count, whoever it is in company with."""
        enqueue("killer", "a")
        assert claim_batch("default", TASK, 10)
        OutboxCall.objects.filter(pk=ids()[0]).update(crashes=2)
        OutboxBatch.objects.update(started_at=LONG_AGO)
        recover_crashed("default")
        found = OutboxCall.objects.order_by("pk").values_list("crashes", flat=True)
        assert list(found) == [2, 1]

    def test_settled_since(self) -> None:
        """Calls that another drain has settled since are no concern of it."""
        enqueue("a")
        die()
        drain_all()
        assert not OutboxCall.objects.exists()
        assert not OutboxBatch.objects.exists()
