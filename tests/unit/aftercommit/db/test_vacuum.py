"""When PostgreSQL is to vacuum the outbox's table."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def before() -> Iterator[None]:
    """The library as it was before the migration; as it is now once the test has ended."""
    call_command("migrate", "aftercommit", "0001", verbosity=0)
    yield
    call_command("migrate", "aftercommit", verbosity=0)


def options() -> set[str]:
    """The settings of the outbox's table; none where tables have no such."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'aftercommit_outboxcall'")
        return set(cursor.fetchone()[0] or ())


def expected() -> set[str]:
    """Those that the migration is to make."""
    settings = {"autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=1000"}
    return settings if connection.vendor == "postgresql" else set()


def test_by_number_of_dead_rows() -> None:
    """However many calls wait or are dead letters."""
    assert options() == expected()


@pytest.mark.usefixtures("before")
def test_reversible() -> None:
    """Going back leaves the server's defaults, and going on again has them set, on any database."""
    assert options() == set()
    call_command("migrate", "aftercommit", verbosity=0)
    assert options() == expected()
