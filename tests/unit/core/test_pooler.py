"""The address of a pooler between the site and PostgreSQL."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.pooler import through_pooler

CONFIG: dict[str, Any] = {
    "ENGINE": "aftercommit.db.postgresql",
    "HOST": "postgres",
    "PORT": 5433,
    "NAME": "site",
    "USER": "me",
    "PASSWORD": "word",
}


def test_none() -> None:
    """The database is reached directly."""
    assert through_pooler(CONFIG, "") == CONFIG


@pytest.mark.parametrize(
    ("pooler", "host", "port"),
    [
        ("pgbouncer:6432", "pgbouncer", 6432),
        ("pgbouncer", "pgbouncer", 5432),
        ("10.0.0.7:5432", "10.0.0.7", 5432),
        ("[2001:db8::5]:6432", "2001:db8::5", 6432),
    ],
)
def test_address(pooler: str, host: str, port: int) -> None:
    """The login stays the database's. A cursor of the server would outlive its transaction."""
    found = through_pooler(CONFIG, pooler)
    assert (found["HOST"], found["PORT"]) == (host, port)
    assert found["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert (found["NAME"], found["USER"], found["PASSWORD"]) == ("site", "me", "word")


@pytest.mark.parametrize(
    "pooler",
    ["postgres://pgbouncer:5432/name", "me@pgbouncer:1", "pgbouncer:port", ":5432", "/"],
)
def test_fail_no_address(pooler: str) -> None:
    """The sentence says what was expected."""
    with pytest.raises(ImproperlyConfigured, match=r"is no address\. Expected HOST:PORT, such as"):
        through_pooler(CONFIG, pooler)


def test_fail_another_database() -> None:
    """It pools PostgreSQL's connections alone."""
    sqlite = {"ENGINE": "aftercommit.db.sqlite3", "NAME": "db.sqlite3"}
    with pytest.raises(ImproperlyConfigured, match="is for PostgreSQL, and DATABASE_URL names"):
        through_pooler(sqlite, "pgbouncer:5432")
