"""Settings that break the guarantee."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from aftercommit.adopt import settings as adopt_settings
from aftercommit.adopt.settings import setting_findings


def test_project() -> None:
    """The project's settings are right."""
    assert list(setting_findings()) == []


def test_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ENGINE without the commit hook is named, with what to set."""
    monkeypatch.setattr(type(connection._connections[connection._alias]), "has_outbox", False)  # type: ignore[attr-defined]
    found = [each for each in setting_findings() if "ENGINE" in each.source]
    assert "(aftercommit.E001)" in found[0].source
    assert "ENGINE" in found[0].advice


def test_eager(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Eager tasks are named where DEBUG is off. While developing they are usual."""
    app = SimpleNamespace(conf=SimpleNamespace(task_always_eager=True))
    monkeypatch.setattr(adopt_settings, "current_app", app)
    settings.DEBUG = False
    (finding,) = setting_findings()
    assert "CELERY_TASK_ALWAYS_EAGER" in finding.advice
    settings.DEBUG = True
    assert list(setting_findings()) == []


def test_silenced(settings: Any) -> None:
    """A check that the project silences is silent here too."""
    settings.OUTBOX_EVENTS = "nothing"
    assert len(list(setting_findings())) == 1
    settings.SILENCED_SYSTEM_CHECKS = ["aftercommit.E016"]
    assert list(setting_findings()) == []


def test_advice(settings: Any) -> None:
    """What is only optional isn't named."""
    settings.MIDDLEWARE = []
    assert list(setting_findings()) == []
