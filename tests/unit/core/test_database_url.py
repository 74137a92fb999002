"""The address of the database, with the password in it or apart from it."""

from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg import sql

from core.database_url import read_database_url
from core.stack.preflight import check_mysql, login
from tests.unit.core.test_redis_login import PASSWORDS


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_any_password(scheme: str, password: str) -> None:
    """Apart from the URL nothing in it has a meaning."""
    parsed = read_database_url(f"{scheme}://user@host:1/name?tcp_user_timeout=1", password)
    assert (parsed["USER"], parsed["PASSWORD"], parsed["HOST"]) == ("user", password, "host")


def test_a_password_in_the_url() -> None:
    """It stays where it was allowed, with the characters that a URL escapes."""
    assert read_database_url("postgres://user:w%23rd@host/name", "")["PASSWORD"] == "w#rd"


@pytest.mark.only_on("postgres", reason="it needs a role of a server")
@pytest.mark.parametrize("password", PASSWORDS)
def test_the_server_takes_it(db: None, password: str) -> None:
    """The role's password, whatever it is, reaches the server as it was given."""
    ours = connection.get_connection_params()
    role = sql.Identifier("tide")
    with closing(psycopg.connect(autocommit=True, **administrator(ours))) as server:
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
        try:
            url = f"postgres://tide@{ours['host']}:{ours['port']}/{ours['dbname']}"
            psycopg.connect(**login(read_database_url(url, password)), dbname="postgres").close()
        finally:
            server.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.every_database
@pytest.mark.only_on("mysql", reason="it needs a user of a server")
@pytest.mark.parametrize("password", PASSWORDS)
def test_mysql_takes_it(db: None, password: str) -> None:
    """So does MySQL, with any driver: as the system starts, and of Django."""
    ours = connection.get_connection_params()
    with closing(connection.Database.connect(**ours)) as server, server.cursor() as cursor:
        cursor.execute("CREATE USER tide IDENTIFIED BY %s", [password])
        try:
            url = f"mysql://tide@{ours['host']}:{ours['port']}/information_schema"
            given = read_database_url(url, password)
            check_mysql(given)
            theirs = connection.copy()
            theirs.settings_dict = {**theirs.settings_dict, **given, "OPTIONS": {}}
            with closing(theirs), theirs.cursor() as of_tide:
                of_tide.execute("SELECT 1")
        finally:
            cursor.execute("DROP USER tide")


def administrator(ours: dict[str, Any]) -> dict[str, Any]:
    """Return how to connect as the owner of the test's server."""
    return {name: ours[name] for name in ("host", "port", "user", "password", "dbname")}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgres://user:hidden@host/name", "^DATABASE_URL has a password, and DATABASE_PASSW"),
        ("postgres://user@host/name?password=hidden", "^DATABASE_URL has a password, and DATA"),
        ("mysql://user@host/name?passwd=hidden", "^DATABASE_URL has a password, and DATA"),
        (
            "sqlite:////data/db.sqlite3",
            "^DATABASE_PASSWORD is for a server, and DATA",
        ),
        ("postgres://user:Tide#hidden/b@d@host/name", r"password in DATABASE_PASSWORD\.$"),
        ("hidden://user:hidden@host/name", r"password in DATABASE_PASSWORD\.$"),
    ],
)
def test_fail(url: str, sentence: str) -> None:
    """The sentence says what to do, and has nothing of the URL."""
    with pytest.raises(ImproperlyConfigured, match=sentence) as raised:
        read_database_url(url, "hidden")
    assert "hidden" not in f"{raised.value!r} {raised.value.__cause__!r}"
