"""The checks of the library, in the log of a worker that starts."""

import logging
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, Info, Warning
from django.core.checks.registry import CheckRegistry

from aftercommit.conf import TAG
from aftercommit.worker import start_checks
from aftercommit.worker.start_checks import worker_ready_log_checks


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> CheckRegistry:
    """The checks that run, none at first."""
    registry = CheckRegistry()
    monkeypatch.setattr(start_checks, "run_checks", registry.run_checks)
    return registry


def test_logged(checks: CheckRegistry, caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    """Errors and warnings have a line each. Advice, and what is silenced, has none."""
    settings.SILENCED_SYSTEM_CHECKS = ["aftercommit.W998"]

    def find(**kwargs: Any) -> list[CheckMessage]:
        return [
            Error("no hook", hint="Change ENGINE.", id="aftercommit.E999"),
            Warning("no cache", id="aftercommit.W999"),
            Warning("silenced", id="aftercommit.W998"),
            Info("advice", id="aftercommit.I999"),
        ]

    checks.register(find, TAG)
    worker_ready_log_checks()
    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, text in said] == [logging.ERROR, logging.WARNING]
    assert "no hook" in said[0][1]
    assert "Change ENGINE." in said[0][1]
    assert "no cache" in said[1][1]


def test_check_fails(checks: CheckRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """A check that raises ends no worker."""

    def find(**kwargs: Any) -> list[CheckMessage]:
        raise ZeroDivisionError

    checks.register(find, TAG)
    worker_ready_log_checks()
    assert "ZeroDivisionError" in caplog.text


def test_skipped(
    checks: CheckRegistry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery's own switch holds."""
    monkeypatch.setenv("CELERY_SKIP_CHECKS", "1")
    checks.register(lambda **kwargs: [Error("no hook", id="aftercommit.E999")], TAG)
    worker_ready_log_checks()
    assert not caplog.records
