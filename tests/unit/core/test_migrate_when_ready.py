"""``manage.py migrate_when_ready``: the step of a container that starts beside its database."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from core.management.commands import migrate_when_ready

pytestmark = pytest.mark.django_db


class Migrate:
    """``migrate`` of a database that refuses its first connections."""

    def __init__(self, refused: int) -> None:
        self.refused = refused
        self.calls = 0

    def __call__(self, name: str, **options: Any) -> None:
        """Refuse, or do nothing."""
        assert name == "migrate"
        self.calls += 1
        if self.calls <= self.refused:
            raise OperationalError("connection refused")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.stack.waiting.time.sleep", lambda seconds: None)


def use(monkeypatch: pytest.MonkeyPatch, migrate: Migrate) -> Migrate:
    monkeypatch.setattr(migrate_when_ready, "call_command", migrate)
    monkeypatch.setattr(migrate_when_ready.connection, "close", lambda: None)
    return migrate


def test_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that answers is migrated once."""
    migrate = use(monkeypatch, Migrate(refused=0))
    call_command("migrate_when_ready")
    assert migrate.calls == 1


def test_later(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not there yet is asked again, and the log says so."""
    migrate = use(monkeypatch, Migrate(refused=2))
    call_command("migrate_when_ready")
    assert migrate.calls == 3
    assert capsys.readouterr().err.count("connection refused") == 2


def test_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """At last it ends with what the database said."""
    use(monkeypatch, Migrate(refused=10**6))
    with pytest.raises(CommandError, match=r"did not answer for 0\.01 s: connection refused"):
        call_command("migrate_when_ready", seconds=0.01)


def test_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails is not tried again."""

    def fail(*arguments: Any, **options: Any) -> None:
        raise CommandError("conflicting migrations")

    monkeypatch.setattr(migrate_when_ready, "call_command", fail)
    with pytest.raises(CommandError, match=r"^conflicting migrations$"):
        call_command("migrate_when_ready")
