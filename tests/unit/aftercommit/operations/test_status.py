"""``outbox_status()``: the figures of each database's outbox."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from aftercommit.operations import health_checks
from aftercommit.operations.health_checks import Findings
from aftercommit.operations.status import outbox_status
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, make_call

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, Any]:
    """The health checks of apps: none but those that the test registers."""
    settings.OUTBOX_HEALTH_SECONDS = 30
    registered: dict[str, Any] = {}
    monkeypatch.setattr(health_checks, "_checks", registered)
    return registered


def test_empty() -> None:
    """No tasks, and nothing due."""
    assert outbox_status() == {
        "default": {"oldest_age": None, "failing_age": None, "tasks": {}, "checks": {}}
    }


def test_counts() -> None:
    """The calls of each task by their status."""
    make_call()
    make_call()
    make_call(status=Status.DEAD)
    make_call(task="gone.tasks.gone", status=Status.UNCERTAIN)
    tasks = outbox_status()["default"]["tasks"]
    assert tasks[MAKE_GROUP].items() >= {"pending": 2, "dead": 1, "known": True}.items()
    assert tasks["gone.tasks.gone"] == {
        "uncertain": 1,
        "known": False,
        "oldest_age": None,
        "failing_age": None,
    }


def test_oldest_age() -> None:
    """The age of the oldest call that is due, of each task and altogether."""
    make_call(available_at=Now() - timedelta(seconds=50))
    make_call(task="gone.tasks.gone", available_at=Now() - timedelta(seconds=500))
    status = outbox_status()["default"]
    assert 50 <= status["tasks"][MAKE_GROUP]["oldest_age"] < 60
    assert 500 <= status["tasks"]["gone.tasks.gone"]["oldest_age"] < 510
    assert status["oldest_age"] == pytest.approx(500, abs=10)


def test_checks(checks: dict[str, Any]) -> None:
    """What the apps' health checks count is there too, also that one can't be read."""
    checks |= {"mails": lambda using: Findings({"failed": 3}), "broken": lambda using: 1 / 0}
    assert outbox_status()["default"]["checks"] == {
        "mails": {"failed": 3},
        "broken": {"error": "ZeroDivisionError"},
    }


def test_not_due() -> None:
    """A call that waits for its time, and a dead one, have no age."""
    make_call(available_at=Now() + timedelta(seconds=50))
    make_call(status=Status.DEAD, available_at=Now() - timedelta(seconds=50))
    status = outbox_status()["default"]
    assert status["oldest_age"] is None
    assert status["tasks"][MAKE_GROUP]["oldest_age"] is None
