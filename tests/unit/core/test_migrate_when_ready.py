"""``manage.py migrate_when_ready``: the step of a container that starts beside its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

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
    with pytest.raises(CommandError, match=r"not be migrated for 0\.01 s: connection refused"):
        call_command("migrate_when_ready", seconds=0.01)


def test_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails is not tried again."""

    def fail(*arguments: Any, **options: Any) -> None:
        raise CommandError("conflicting migrations")

    monkeypatch.setattr(migrate_when_ready, "call_command", fail)
    with pytest.raises(CommandError, match=r"^conflicting migrations$"):
        call_command("migrate_when_ready")


@contextmanager
def long_transaction() -> Iterator[Any]:
    """Read the articles in a transaction of another connection, which goes on."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM content_article")
        yield other
    finally:
        other.close()


class Locking(Migrate):
    """``migrate`` that changes a table which a long transaction has read."""

    def __init__(self, blocking: Any, lets_go_after: int) -> None:
        super().__init__(refused=0)
        self.blocking, self.lets_go_after = blocking, lets_go_after

    def __call__(self, name: str, **options: Any) -> None:
        """Lock the table, as ALTER TABLE does."""
        super().__call__(name, **options)
        if self.calls > self.lets_go_after:
            self.blocking.close()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE content_article IN ACCESS EXCLUSIVE MODE")


@pytest.mark.only_on("postgres", reason="no other database takes a migration back as a whole")
@pytest.mark.django_db(transaction=True)
class TestLocks:
    """A migration behind a long transaction, with the whole site behind the migration."""

    def test_the_migration_lets_the_site_go_first(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It waits for no lock for long, and is tried again until it gets it."""
        with long_transaction() as other:
            migrate = use(monkeypatch, Locking(other, lets_go_after=2))
            call_command("migrate_when_ready", lock_seconds=0.01)
        assert migrate.calls == 3
        assert capsys.readouterr().err.count("due to lock timeout") == 2

    def test_never(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At last it ends with what was in the way, and has changed nothing."""
        with long_transaction() as other:
            use(monkeypatch, Locking(other, lets_go_after=10**6))
            with pytest.raises(CommandError, match="due to lock timeout"):
                call_command("migrate_when_ready", seconds=0.01, lock_seconds=0.01)


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan", "inf"])
def test_no_seconds(given: str) -> None:
    """Without a limit the site could wait for ever, so that none is refused."""
    with pytest.raises(CommandError, match=r"not a number of seconds from 0\.001"):
        call_command("migrate_when_ready", f"--lock-seconds={given}")
