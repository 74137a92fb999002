"""What a monitor is told of real workers."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.operations.health import check_health
from aftercommit.worker.heartbeat import worker_ages
from core.stack.waiting import wait_until
from tests.integration.outbox import tasks
from tests.integration.outbox.conftest import StartWorker

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 60


@pytest.fixture(autouse=True)
def _stale_soon(settings: Any) -> None:
    """A worker is stale after some of its sweeps; a slow machine has its time to answer."""
    settings.OUTBOX_STALE_WORKER = 4
    settings.OUTBOX_HEALTH_SECONDS = 30


def alive() -> list[str]:
    """The workers that live, as the health check says."""
    workers = check_health().as_json()["databases"]["default"]["workers"]
    return [worker["name"] for worker in workers if not worker["stale"]]


def stale() -> list[str]:
    """The workers that it names as stale."""
    return [note.split()[0] for note in check_health().notes if "was last seen" in note]


def test_killed(start_worker: StartWorker) -> None:
    """A worker that was killed is named until one of its name is there again."""
    worker = start_worker()
    wait_until(lambda: alive() == [worker.hostname()], TIMEOUT, "its heartbeat")
    assert OutboxWorker.objects.get().pid == worker.pid
    worker.kill()
    wait_until(lambda: stale() == [worker.hostname()], TIMEOUT, "it to be named")
    assert alive() == []
    worker.start()
    wait_until(lambda: alive() == [worker.hostname()], TIMEOUT, "it to be back")
    assert stale() == []
    assert OutboxWorker.objects.get().pid == worker.pid


def test_hangs(start_worker: StartWorker) -> None:
    """So is one whose process hangs, while another goes on."""
    hanging, working = start_worker(), start_worker()
    wait_until(lambda: len(alive()) == 2, TIMEOUT, "their heartbeats")
    with transaction.atomic():  # SQLite's one writer: it isn't paused in the midst of a write
        hanging.pause()
    wait_until(lambda: stale() == [hanging.hostname()], TIMEOUT, "it to be named")
    wait_until(lambda: alive() == [working.hostname()], TIMEOUT, "the other")
    hanging.resume()
    wait_until(lambda: len(alive()) == 2, TIMEOUT, "it to be back")


def test_told_to_stop(start_worker: StartWorker) -> None:
    """One that stops warm is gone at once."""
    worker = start_worker()
    wait_until(lambda: alive() == [worker.hostname()], TIMEOUT, "its heartbeat")
    worker.terminate()
    assert worker.wait(TIMEOUT) == 0
    assert worker_ages("default") == {}


def test_ready(start_worker: StartWorker, client: Client) -> None:
    """The site is not ready while calls are due and their worker was killed; then it is again."""
    worker = start_worker()
    wait_until(lambda: alive() == [worker.hostname()], TIMEOUT, "its heartbeat")
    assert client.get("/readyz").status_code == 200
    worker.kill()
    tasks.make_group.delay_on_commit(name="a")
    wait_until(lambda: client.get("/readyz").status_code == 503, TIMEOUT, "a problem")
    (problem,) = client.get("/readyz").json()["problems"]
    assert problem.startswith("No worker lives that settles calls in 'default', and calls have")
    assert client.get("/healthz").status_code == 200
    start_worker()
    wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, "the outbox to be empty")
    assert client.get("/readyz").status_code == 200
