"""A broker that fails in any way: nothing is lost, nobody waits, and workers consume again."""

from pathlib import Path

import pytest

from aftercommit.models import OutboxCall
from content.models import Article
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.worker import ProjectWorker
from tests.reliability import tasks
from tests.reliability.broker_faults import FAULTS
from tests.reliability.conftest import Gate, StartWeb, StartWorker, stopped_at
from tests.reliability.proxy import Proxy
from tests.reliability.state import TIMEOUT, left, wait_answered, wait_settled, written

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("fault", FAULTS),
]

NO_SWEEPS = {"OUTBOX_SWEEP_INTERVAL": "600"}

NOTICED_AT_ONCE = ("stopped", "restarted", "refusing", "read only", "failed over")


LOSES_WAKE_UPS = "lost connections"
"""The fault by which the broker gives wake-ups to connections that lead nowhere any more."""


def wait_noticed(worker: ProjectWorker, fault: str) -> None:
    """Wait until the worker has lost the broker, if it is a fault by which it does at once."""
    if fault in NOTICED_AT_ONCE:
        worker.wait_for_log("Connection to broker lost", timeout=TIMEOUT)


def test_idle_worker(start_worker: StartWorker, broker: Broker, proxy: Proxy, fault: str) -> None:
    """A worker that was idle consumes again: wake-ups alone reach it, there are no sweeps."""
    sweeps = {} if fault == LOSES_WAKE_UPS else NO_SWEEPS
    worker = start_worker(env=sweeps | {"REDIS_URL": proxy.url})
    tasks.write_one.delay_on_commit(name="before")
    wait_settled()
    wait_answered(tasks.write_one.name)
    with FAULTS[fault](broker, proxy):
        tasks.write_one.delay_on_commit(name="meanwhile")
        wait_noticed(worker, fault)
    assert worker.running, worker.logs()
    tasks.write_one.delay_on_commit(name="after")
    wait_settled()
    assert written() == ["after", "before", "meanwhile"]


def test_at_work(
    start_worker: StartWorker,
    start_web: StartWeb,
    broker: Broker,
    proxy: Proxy,
    gate: Gate,
    article: Article,
    tmp_path: Path,
    fault: str,
) -> None:
    """It fails during a wake-up, during a request and during a drain: none of them cares."""
    outside, wake_gate = tmp_path / "outside", Gate(tmp_path / "wake gate")
    through = {"REDIS_URL": proxy.url}
    worker = start_worker(point="in the effect", env=through)
    web = start_web(env=through | stopped_at("flag read", wake_gate))
    tasks.send.delay_on_commit(name="a", path=str(outside))
    gate.wait_reached()
    assert web.get(article.get_absolute_url()) == 200
    wake_gate.wait_reached()

    with FAULTS[fault](broker, proxy):
        wake_gate.open()
        assert web.get(article.get_absolute_url()) == 200
        gate.open()
        sent = OutboxCall.objects.filter(task=tasks.send.name)
        wait_until(lambda: not sent.exists(), TIMEOUT, left)
        wait_noticed(worker, fault)
    assert outside.read_text() == "a\n"
    assert worker.running, worker.logs()
    wait_settled()
    article.refresh_from_db()
    assert article.view_count == 2
    assert outside.read_text() == "a\n"
