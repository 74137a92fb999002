"""More wake-ups, sweeps and drains than there are calls: each effect is had once."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from celery import current_app
from django.db import connections, transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.wake_message import DRAIN
from aftercommit.worker.drain import drain_task
from aftercommit.worker.sweep import recover
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWorker
from tests.reliability.state import TIMEOUT, left, wait_settled, written

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = 10


def wake(name: str, times: int = TIMES) -> None:
    """Send the task so many wake-ups, whether or not one is under way."""
    for _ in range(times):
        current_app.send_task(DRAIN, [name, "default"])


def answered(workers: Sequence[ProjectWorker]) -> int:
    """How many wake-ups the workers have answered, by their logs."""
    ends = re.compile(rf"{DRAIN}\[[\w-]+\] (succeeded|raised)")
    found = [end for worker in workers for end in ends.findall(worker.logs())]
    assert "raised" not in found
    return len(found)


def test_wake_ups_in_many_workers(start_worker: StartWorker, tmp_path: Path) -> None:
    """Ten wake-ups a call, in ten processes of two workers at once."""
    outside = tmp_path / "outside"
    for number in range(TIMES):
        with transaction.atomic():
            tasks.write_one.delay_on_commit(name=f"single {number}")
            tasks.write_batch.delay_on_commit(name=f"batch {number}")
            tasks.send.delay_on_commit(name=f"sent {number}", path=str(outside))
    for task in (tasks.write_one, tasks.write_batch, tasks.send):
        wake(task.name)
    workers = [start_worker(concurrency=5) for _ in range(2)]
    wait_settled()
    wait_until(lambda: answered(workers) >= 3 * TIMES, TIMEOUT, "every wake-up to be answered")
    expected = [f"{task} {number}" for task in ("batch", "single") for number in range(TIMES)]
    assert written() == sorted(expected)
    assert sorted(outside.read_text().split("\n")[:-1]) == [f"sent {n}" for n in range(TIMES)]


def test_two_drains_of_the_same_calls(start_worker: StartWorker, gate: Gate) -> None:
    """A drain that stops between claim and run finds what another one has settled meanwhile."""
    start_worker(point="claimed")
    with transaction.atomic():
        for name in "abc":
            tasks.write_batch.delay_on_commit(name=name)
    gate.wait_reached()
    assert drain_task(tasks.write_batch, "default").settled == 3
    tasks.write_batch.delay_on_commit(name="d")
    gate.open()
    wait_settled()
    assert written() == ["a", "b", "c", "d"]


def test_sweep_takes_a_slow_drain_for_a_dead_one(start_worker: StartWorker, gate: Gate) -> None:
    """A crash is counted for calls that wait longer than the grace; they run once all the same."""
    start_worker(point="claimed")
    tasks.write_batch.delay_on_commit(name="a")
    gate.wait_reached()
    wait_until(lambda: OutboxCall.objects.get().crashes == 1, TIMEOUT, left)
    gate.open()
    wait_settled()
    assert written() == ["a"]


def test_sweep_that_is_overtaken_by_a_drain(start_worker: StartWorker, gate: Gate) -> None:
    """A sweep that found a call due wakes its task in vain when a drain has settled it."""
    start_worker(point="swept")
    tasks.write_one.apply_async_on_commit(kwargs={"name": "a"}, countdown=1)  # no wake-up now
    gate.wait_reached()
    drain_task(tasks.write_one, "default")
    assert written() == ["a"]
    gate.open()
    tasks.write_one.delay_on_commit(name="b")
    wait_settled()
    assert written() == ["a", "b"]


def test_sweeps_at_once(start_worker: StartWorker, gate: Gate, settings: Any) -> None:
    """Of many sweeps that find the journal of a dead process, one counts the crash."""
    settings.OUTBOX_CRASH_GRACE = 1
    worker = start_worker(point="claimed", env={"OUTBOX_SWEEP_INTERVAL": "600"})
    tasks.write_batch.delay_on_commit(name="a")
    gate.wait_reached()
    worker.kill()
    OutboxBatch.objects.update(started_at=Now() - timedelta(seconds=2))
    with ThreadPoolExecutor(TIMES) as pool:
        together = Barrier(TIMES)
        list(pool.map(lambda _: sweep_together(together), range(TIMES)))
    assert not OutboxBatch.objects.exists()
    assert OutboxCall.objects.get().crashes == 1
    # Not the same one again, which sweeps once in ten minutes: that sweep is held back if the first
    # worker had been sent a second wake-up, which died with it, within OUTBOX_WAKE_TTL.
    start_worker()
    wait_settled()
    assert written() == ["a"]


def sweep_together(together: Barrier) -> None:
    """Sweep as soon as all threads are here."""
    together.wait(TIMEOUT)
    try:
        recover("default")
    finally:
        connections.close_all()
