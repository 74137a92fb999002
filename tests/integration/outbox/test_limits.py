"""Time limits and rate limits are a call's, however many of them a drain runs."""

from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import Group
from django.db import transaction

from aftercommit.models import OutboxCall, OutboxWorker
from core.stack.waiting import wait_until
from tests.integration.outbox import tasks
from tests.integration.outbox.conftest import StartWorker

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 60


def names() -> list[str]:
    """Return the effects that were committed."""
    return sorted(Group.objects.values_list("name", flat=True))


def wait_empty() -> None:
    """Wait until the outbox is empty."""
    wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, "an empty outbox")


@pytest.mark.parametrize("task", [tasks.take_time, tasks.take_time_outside])
def test_innocent_calls(start_worker: StartWorker, task: Any) -> None:
    """Calls that are each within their limit settle, however long they take together."""
    start_worker()
    expected = [f"call {number:02}" for number in range(25)]
    with transaction.atomic():
        for name in expected:
            task.delay_on_commit(name=name)
    wait_empty()
    assert names() == expected


@pytest.mark.slow
def test_limit_of_the_command_line(start_worker: StartWorker) -> None:
    """A worker's own limit is a call's: it ends no drain that its calls make longer."""
    worker = start_worker(args=["--soft-time-limit", "2"])
    with transaction.atomic():
        for number in range(5):
            tasks.take_unlimited_time.delay_on_commit(name=f"call {number}", seconds=0.7)
    wait_until(lambda: Group.objects.count() == 5, TIMEOUT, worker.logs)
    assert not OutboxCall.objects.exists()
    assert "time limit (2.0s) exceeded" not in worker.logs()


def test_soft_limit(start_worker: StartWorker) -> None:
    """A call over its soft limit has failed; those beside it settle."""
    start_worker()
    with transaction.atomic():
        tasks.take_time.delay_on_commit(name="before")
        slow = tasks.take_time.delay_on_commit(name="slow", seconds=30)
        tasks.take_time.delay_on_commit(name="after")
    dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
    wait_until(
        lambda: dead.exists() and OutboxCall.objects.count() == 1, TIMEOUT, "one dead letter"
    )
    assert dead.get().pk == slow.pk
    assert "SoftTimeLimitExceeded" in dead.get().error
    assert names() == ["after", "before"]


def test_hard_limit(start_worker: StartWorker) -> None:
    """The process of a call over its limit is killed, and the log says whose fault it was."""
    worker = start_worker()
    slow = tasks.take_time_outside.delay_on_commit(name="slow", seconds=30)
    said = f"{tasks.take_time_outside.name}[{slow.id}]: not over after its time limit of 1s"
    wait_until(lambda: said in worker.logs(), TIMEOUT, worker.logs)
    tasks.take_time_outside.delay_on_commit(name="next")
    wait_until(lambda: names() == ["next"], TIMEOUT, worker.logs)


def test_time_limit_by_remote_control(start_worker: StartWorker) -> None:
    """A worker's processes follow the limits that Celery's remote control sets."""
    worker = start_worker()
    control: Any = current_app.control
    (answer,) = control.time_limit(tasks.take_time.name, soft=0.3, hard=60, reply=True)
    assert "time limits set successfully" in str(answer)
    for _ in range(2):  # The limits are shared at the end of a round, after its heartbeat.
        wait_heartbeat()
    tasks.take_time.delay_on_commit(name="slow", seconds=30)
    dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
    wait_until(dead.exists, TIMEOUT, worker.logs)
    assert "SoftTimeLimitExceeded(0.3" in dead.get().error


def wait_heartbeat() -> None:
    """Wait for the next round of the worker's sweep."""
    last = OutboxWorker.objects.get().seen_at
    wait_until(lambda: OutboxWorker.objects.get().seen_at > last, TIMEOUT, "a heartbeat")


def test_rate_limit(start_worker: StartWorker, tmp_path: Path) -> None:
    """Calls of a task with a rate limit keep their distance, in whichever process they run."""
    start_worker(concurrency=2)
    path = tmp_path / "times"
    with transaction.atomic():
        for _ in range(6):
            tasks.go_slowly.delay_on_commit(path=str(path))
        tasks.make_group.delay_on_commit(name="beside")
    wait_until(lambda: names() == ["beside"], TIMEOUT, "a task beside it")
    wait_empty()
    times = sorted(map(float, path.read_text().split()))
    assert len(times) == 6
    # Without a limit all are done at once. A process writes its time a little after its turn.
    assert times[-1] - times[0] > 2


def test_rate_limit_by_remote_control(start_worker: StartWorker) -> None:
    """A worker's processes follow the limit that Celery's remote control sets."""
    start_worker()
    with transaction.atomic():
        tasks.make_group_hourly.delay_on_commit(name="at once")
        tasks.make_group_hourly.delay_on_commit(name="in an hour")
    wait_until(lambda: names() == ["at once"], TIMEOUT, "the first call")
    control: Any = current_app.control
    (answer,) = control.rate_limit(tasks.make_group_hourly.name, "10/s", reply=True)
    assert "new rate limit set successfully" in str(answer)
    wait_empty()
    assert names() == ["at once", "in an hour"]
