"""Web and worker whose clocks are wrong: only the database's clock decides."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from pytest_celery import CeleryTestSetup

from aftercommit.models import OutboxCall
from audit.models import AuditLog
from content.models import Product
from core.stack.waiting import wait_until
from tests.celery_engine.engine import PROJECT
from tests.celery_engine.worker import ProjectWorker
from tests.integration.outbox.conftest import QUICK
from tests.reliability import poison_tasks as poison
from tests.reliability import tasks
from tests.reliability.state import TIMEOUT, left, written

pytestmark = pytest.mark.django_db(transaction=True)

CLOCK = Path(__file__).parent / "clock"

shifted = pytest.mark.parametrize("offset", ["3600", "-3600", "jumps"])
shifted_worker = pytest.mark.parametrize(
    "offset", ["3600", "-3600", pytest.param("jumps", marks=pytest.mark.slow)]
)

REQUEST = """
import django, time, datetime
django.setup()
from django.utils import timezone
from content.models import Product
from tests.reliability import tasks
Product.objects.create(name="lamp", price=1)
tasks.write_one.apply_async_on_commit(kwargs={"name": "later"}, countdown=300)
print(time.time(), timezone.now().timestamp())
"""


@pytest.fixture
def run_shifted(process_environment: dict[str, str]) -> Callable[..., str]:
    """Run Python in a process with a wrong clock; what it printed."""

    def run(offset: str, *args: str) -> str:
        env = process_environment | shift(offset)
        command = [sys.executable, *args]
        return subprocess.run(
            command, env=env, cwd=PROJECT, check=True, timeout=TIMEOUT, stdout=subprocess.PIPE
        ).stdout.decode()

    return run


@pytest.fixture
def start_worker(celery_setup: CeleryTestSetup) -> Callable[[str], ProjectWorker]:
    """Start a worker with a wrong clock."""

    def start(offset: str) -> ProjectWorker:
        args = ["--include", "tests.reliability.tasks,tests.reliability.poison_tasks"]
        return celery_setup.worker_cluster.start(2, env=QUICK | shift(offset), args=args)

    return start


def shift(offset: str) -> dict[str, str]:
    """The environment of a process with a wrong clock."""
    return {"CLOCK_OFFSET": offset, "PYTHONPATH": f"{CLOCK}:{PROJECT}"}


def seconds_until(call: OutboxCall) -> float:
    """How far the call's time is from now, by the database's clock."""
    now = OutboxCall.objects.filter(pk=call.pk).annotate(now=Now()).values_list("now").get()[0]
    return float((call.available_at - now).total_seconds())


@shifted
def test_web(run_shifted: Callable[..., str], offset: str) -> None:
    """What a web process with a wrong clock calls is due when it should be, and dated right."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    host, django = map(float, run_shifted(offset, "-c", REQUEST).split())
    assert abs(host - before.timestamp()) > 3000
    assert abs(django - before.timestamp()) > 3000
    for call in OutboxCall.objects.all():
        assert before < call.created_at < datetime.now(UTC) + timedelta(seconds=1)
    later = OutboxCall.objects.get(task=tasks.write_one.name)
    assert later.available_at - later.created_at == pytest.approx(
        timedelta(seconds=300), abs=timedelta(seconds=1)
    )
    due = OutboxCall.objects.get(task="audit.tasks.write_audit_logs")
    assert due.available_at == pytest.approx(due.created_at, abs=timedelta(seconds=1))
    status = json.loads(run_shifted(offset, "manage.py", "outbox", "status", "--json"))
    assert 0 <= status["default"]["oldest_age"] < TIMEOUT


@shifted_worker
def test_worker(start_worker: Callable[[str], ProjectWorker], tmp_path: Path, offset: str) -> None:
    """A worker with a wrong clock runs what is due and nothing else, and dates it right."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    worker = start_worker(offset)
    poison.patient.delay_on_commit(name="raises")
    tasks.write_one.apply_async_on_commit(kwargs={"name": "in 5 minutes"}, countdown=300)
    tasks.write_one.apply_async_on_commit(kwargs={"name": "in a second"}, countdown=1)
    path = str(tmp_path / "sent")
    poison.send_slowly.delay_on_commit(name="hangs", path=path)
    poison.one.delay_on_commit(name="exits")
    Product.objects.create(name="lamp", price=1)

    def message() -> str:
        return left() + worker.logs()[-5000:]

    wait_until(lambda: "in a second" in written(), TIMEOUT, message)
    wait_until(lambda: AuditLog.objects.exists(), TIMEOUT, message)
    assert before < AuditLog.objects.get().timestamp < datetime.now(UTC) + timedelta(seconds=1)

    failed = OutboxCall.objects.filter(task=poison.patient.name, attempts=1)
    wait_until(failed.exists, TIMEOUT, message)
    assert 400 < seconds_until(failed.get()) <= 600

    leased = OutboxCall.objects.filter(status=OutboxCall.Status.RUNNING)
    wait_until(leased.exists, TIMEOUT, message)
    assert 300 < seconds_until(leased.get()) <= 400

    dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
    wait_until(dead.exists, TIMEOUT, message)
    assert "Its process died 3 times" in dead.get().error
    assert leased.exists()
    assert written() == ["in a second", "lamp"]
