"""A deep backlog of one task: claims, memory, and the other tasks' calls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection, transaction
from django.db.models import Count

from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.drain import drain_task
from aftercommit.worker.due import due_ages, due_calls
from content.models import Product
from core.stack.waiting import wait_until
from tests.reliability import tasks
from tests.reliability.conftest import StartWorker
from tests.reliability.state import TIMEOUT, left, written
from tests.reliability.tasks import the_task

pytestmark = pytest.mark.django_db(transaction=True)

piled_up = pytest.mark.only_on("postgres", "sqlite", reason="they take the statement that piles up")

DEPTH = 100_000
SIZE = 500
MEGABYTE = 1024**2

INSERT = """
    WITH RECURSIVE numbers (number) AS (
        SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < %s
    )
    INSERT INTO aftercommit_outboxcall (task, payload, context)
    SELECT %s, %s, '["", "", "", ""]' FROM numbers
"""


# What this transaction fetched from the outbox, whatever its statements are.
ROWS_READ = """
    SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
    WHERE relname = 'aftercommit_outboxcall'
"""


def pile_up(task: Any, depth: int) -> None:
    """So many due calls of the task, with one statement."""
    payload = json.dumps([[], {"name": "x"}])
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [depth, task.name, payload])
        cursor.execute("ANALYZE aftercommit_outboxcall")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan's nodes, from the top."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def analyze(sql: str) -> list[dict[str, Any]]:
    """The nodes of the statement's plan, with what PostgreSQL did."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        return list(nodes(cursor.fetchone()[0][0]["Plan"]))


def rows_read(plan: list[dict[str, Any]]) -> float:
    """How many rows were fetched from tables, those that were thrown away included."""
    scans = [node for node in plan if "Scan" in node["Node Type"] and "Relation Name" in node]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in scans
    )


def left_of_each() -> dict[str, int]:
    """How many calls of each task wait."""
    return dict(OutboxCall.objects.values_list("task").annotate(Count("pk")))


def check_claim() -> None:
    """A batch is read, once to claim it and once to lock it, and no more."""
    name = tasks.write_batch.name
    if connection.vendor == "sqlite":  # which counts no rows that it read
        text = due_calls("default", name)[:SIZE].explain()
        assert "USING INDEX outbox_pending" in text
        assert "B-TREE" not in text
        return
    with transaction.atomic(), connection.cursor() as cursor:
        batch = claim_batch("default", name, SIZE)
        assert batch
        assert len(batch.lock()) == SIZE
        cursor.execute(ROWS_READ)
        assert cursor.fetchone()[0] <= 2 * SIZE
        transaction.set_rollback(True)


def check_sweep(tasks_due: set[str]) -> None:
    """A sweep finds the tasks by a look at each, not at their calls."""
    assert set(due_ages("default")) == tasks_due
    if connection.vendor == "postgresql":
        assert rows_read(analyze(outbox_ops(connection).pending_tasks_sql)) <= 10


def check_memory(patch: pytest.MonkeyPatch) -> None:
    """A drain holds a batch in memory, however many there are."""
    process = psutil.Process()
    sizes: list[int] = []
    patch.setattr(tasks, "write", lambda names: None)
    patch.setattr(tasks, "half_done", lambda: sizes.append(process.memory_info().rss))
    task = the_task(tasks.write_batch)
    drain_task(task, "default", seconds=0)  # what the first batch imports and connects to
    report = drain_task(task, "default", seconds=1)
    assert report.settled > SIZE
    assert max(sizes) - sizes[0] < 20 * MEGABYTE


@piled_up
def test_a_million(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million due calls are claimed, swept and drained at the price of a batch."""
    pile_up(tasks.write_batch, 1_000_000)
    pile_up(tasks.write_one, 10)
    check_claim()
    check_sweep({tasks.write_batch.name, tasks.write_one.name})
    check_memory(monkeypatch)


class TestOthers:
    """Calls of other tasks."""

    @piled_up
    def test_not_starved(self, start_worker: StartWorker) -> None:
        """One process alone settles another task's call while the backlog is still deep."""
        pile_up(tasks.write_one, 3 * DEPTH)  # more than two turns of a drain settle
        worker = start_worker()
        wait_until(Product.objects.exists, TIMEOUT, "a batch to be settled")
        for name in ("first", "second"):
            tasks.write_batch.delay_on_commit(name=name)
            had = Product.objects.filter(name=name)
            wait_until(had.exists, TIMEOUT, lambda: f"{left_of_each()} {worker.logs()[-5000:]}")
        assert left_of_each().get(tasks.write_one.name, 0) > DEPTH // 4

    def test_full_queue(self, start_worker: StartWorker, tmp_path: Path) -> None:
        """A task that wakes up over and over, at the head of the queue, holds up no other."""
        path = str(tmp_path / "sent")
        with transaction.atomic():
            for number in range(5_000):
                tasks.send.delay_on_commit(name=str(number), path=path)
        start_worker(2)
        wait_until(lambda: OutboxCall.objects.count() < 5_000, TIMEOUT, "a call to be settled")
        tasks.write_one.delay_on_commit(name="other")
        wait_until(lambda: "other" in written(), TIMEOUT, left)
        assert OutboxCall.objects.filter(task=tasks.send.name).exists()

    def test_slow_calls(self, settings: Any) -> None:
        """A drain whose time is up makes room after the call that it runs, not after its batch."""
        settings.OUTBOX_DRAIN_SECONDS = 1e-9
        with transaction.atomic():
            for name in "abc":
                tasks.write_one.delay_on_commit(name=name)
        task = the_task(tasks.write_one)
        assert drain_task(task, "default").settled == 1
        assert OutboxCall.objects.count() == 2
        drain_task(task, "default")
        drain_task(task, "default")
        assert written() == ["a", "b", "c"]
        assert not OutboxCall.objects.exists()
