"""``join_begin`` in a database's OPTIONS: whether BEGIN goes with the first statement."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from aftercommit.models import OutboxCall
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

OWN_QUERY = "SELECT current_query()"

Connect = Callable[..., Any]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Has the test's connection made anew, with more OPTIONS."""
    before = connections[DEFAULT_DB_ALIAS]

    def connect(**options: Any) -> None:
        connections[DEFAULT_DB_ALIAS] = before.copy()
        connection.settings_dict["OPTIONS"].update(options)
        connection.ensure_connection()

    yield connect
    connection.close()
    connections[DEFAULT_DB_ALIAS] = before


def commit() -> None:
    """A change of two statements, and a call."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        effects.make_group.delay_on_commit("a")


def test_off(connect: Connect) -> None:
    """Any database can have it off; its transactions and its calls are the same."""
    connect(join_begin=False)
    with CaptureQueriesContext(connection) as queries:
        commit()
    assert [query["sql"].split()[0] for query in queries] == ["BEGIN", "SELECT", "INSERT", "COMMIT"]
    assert OutboxCall.objects.count() == 1


@pytest.mark.only_on("postgres", reason="PostgreSQL's")
@pytest.mark.parametrize(
    ("options", "begin"),
    [({}, "BEGIN; "), ({"join_begin": True}, "BEGIN; "), ({"join_begin": False}, "")],
)
def test_message(connect: Connect, options: dict[str, bool], begin: str) -> None:
    """On PostgreSQL it is on, unless it is turned off."""
    connect(**options)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(OWN_QUERY)
        assert cursor.fetchone() == (begin + OWN_QUERY,)


@pytest.mark.parametrize("value", ["False", 0, 1, None, "no"])
def test_fail_no_bool(connect: Connect, value: object) -> None:
    """Anything but a bool is refused, with what was given and what is expected."""
    with pytest.raises(ImproperlyConfigured) as caught:
        connect(join_begin=value)
    assert f"'join_begin': {value!r}" in str(caught.value)
    assert "Expected True or False" in str(caught.value)


@pytest.mark.only_on("sqlite", "mysql", reason="it can there")
def test_fail_other_database(connect: Connect) -> None:
    """True is refused where BEGIN is always a message of its own."""
    with pytest.raises(ImproperlyConfigured, match="needs PostgreSQL"):
        connect(join_begin=True)


@pytest.mark.only_on("postgres", reason="PostgreSQL's")
@pytest.mark.parametrize("name", ["server_side_binding", "cursor_factory"])
def test_fail_other_cursor(connect: Connect, name: str) -> None:
    """True is refused too where another cursor is asked for, which wins otherwise."""
    other: dict[str, Any] = {name: True if name == "server_side_binding" else type("Own", (), {})}
    with pytest.raises(ImproperlyConfigured, match=name):
        connect(**other, join_begin=True)
