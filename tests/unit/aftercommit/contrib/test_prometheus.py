"""The outbox's figures as Prometheus reads them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from prometheus_client import CollectorRegistry

from aftercommit.contrib import prometheus
from aftercommit.contrib.prometheus import OutboxCollector
from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.operations.health import DatabaseHealth, Health
from aftercommit.operations.health_checks import Findings
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, make_call
from tests.unit.aftercommit.observe import statements

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry as ``prometheus_client.REGISTRY`` is."""
    registry = CollectorRegistry(auto_describe=True)
    with statements() as asked:
        registry.register(OutboxCollector())
    assert asked == []
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return the figure of the default database."""
    return registry.get_sample_value(f"aftercommit_{name}", {"database": "default", **labels})


def test_idle(registry: CollectorRegistry) -> None:
    """An outbox without calls has no problem, and no call that waits for a person."""
    assert value(registry, "up") == 1
    assert value(registry, "problems") == 0
    assert value(registry, "held_calls", status="dead") == 0
    assert value(registry, "held_calls", status="uncertain") == 0
    assert value(registry, "oldest_due_seconds", task=MAKE_GROUP) is None


def test_figures(registry: CollectorRegistry) -> None:
    """The figures are those of the calls and the workers."""
    due = make_call()
    make_call(status=Status.DEAD)
    OutboxCall.objects.filter(pk=due.pk).update(available_at=Now() - timedelta(seconds=100))
    OutboxWorker.objects.create(name="celery@a", pid=1, seen_at=Now() - timedelta(seconds=7))
    assert 100 <= (value(registry, "oldest_due_seconds", task=MAKE_GROUP) or 0) < 160
    assert 7 <= (value(registry, "worker_heartbeat_seconds", worker="celery@a") or 0) < 67
    assert value(registry, "held_calls", status="dead") == 1
    assert value(registry, "problems") == 1


def test_checks(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of health checks are figures too, and their texts are none."""
    checks = {"mails": Findings({"limited": 3, "age": 0.5, "server": "up"})}
    found: Any = Health([DatabaseHealth("default", checks=checks)])
    monkeypatch.setattr(prometheus, "check_health", lambda: found)
    assert value(registry, "check_figures", figure="mails.limited") == 3
    assert value(registry, "check_figures", figure="mails.age") == 0.5
    assert value(registry, "check_figures", figure="mails.server") is None


def test_no_answer(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that doesn't answer is down and a problem. Its calls are not known."""
    down: Any = Health([DatabaseHealth("default", error="no route")])
    monkeypatch.setattr(prometheus, "check_health", lambda: down)
    assert (value(registry, "up"), value(registry, "problems")) == (0, 1)
    assert value(registry, "held_calls", status="dead") is None
