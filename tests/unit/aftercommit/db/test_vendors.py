"""What databases do differently is a matter of ``aftercommit.db``, for any backend."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import NotSupportedError, connection
from django.db.backends.sqlite3 import base as django_sqlite3
from django.utils import timezone

import aftercommit
from aftercommit.db.hook import ImplicitCommitMixin
from aftercommit.db.mysql.outbox import MySQLOperations
from aftercommit.db.operations import OutboxOperations
from aftercommit.db.postgresql.outbox import PostgreSQLOperations
from aftercommit.db.sqlite3.outbox import SQLiteOperations
from aftercommit.db.vendors import outbox_ops
from aftercommit.outbox.record import CallRecord
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.every_database

LIBRARY = Path(aftercommit.__file__).parent

ASKS = {"vendor", "features", "mysql_is_mariadb"}
"""Attributes by which code would tell databases apart."""


def questions(path: Path) -> list[str]:
    """The lines of a module that ask which database they work on."""
    tree = ast.parse(path.read_text())
    asked = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in ASKS]
    return [f"{path.relative_to(LIBRARY)}:{each.lineno}" for each in asked]


def test_one_place() -> None:
    """No module outside ``aftercommit/db`` asks for the vendor or its features."""
    modules = [each for each in LIBRARY.rglob("*.py") if LIBRARY / "db" not in each.parents]
    assert modules
    assert [line for path in modules for line in questions(path)] == []
    assert questions(LIBRARY / "db" / "vendors.py")  # the search finds what it looks for


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        ("postgresql", PostgreSQLOperations),
        ("mysql", MySQLOperations),
        ("sqlite", SQLiteOperations),
        ("oracle", OutboxOperations),
    ],
)
def test_other_engine(vendor: str, expected: type[OutboxOperations]) -> None:
    """A connection whose ENGINE isn't ours has its vendor's operations, and always the same."""
    other: Any = SimpleNamespace(vendor=vendor)
    assert type(outbox_ops(other)) is expected
    assert outbox_ops(other) is other.outbox_ops is outbox_ops(other)


def test_own_engine() -> None:
    """A connection of ours has them as it is made."""
    assert outbox_ops(connection) is connection.outbox_ops


def test_combined_backend() -> None:
    """Somebody else's backend keeps its own ``ops`` beside the outbox's operations."""

    class Operations(django_sqlite3.DatabaseOperations):  # type: ignore[name-defined]
        """Another project's."""

    class Wrapper(ImplicitCommitMixin, django_sqlite3.DatabaseWrapper):
        """Another project's backend with the commit hook."""

        ops_class = Operations

    wrapper = Wrapper({"ENGINE": "", "NAME": ":memory:", "OPTIONS": {}}, "other")
    assert type(wrapper.ops) is Operations
    assert type(wrapper.outbox_ops) is SQLiteOperations


@pytest.mark.parametrize("when", [{"countdown": 60}, {"eta": timezone.now()}])
def test_fail_later_on_unknown_vendor(when: dict[str, Any]) -> None:
    """A vendor that isn't known can't put a call off, and the error says which would do."""
    other = SimpleNamespace(vendor="oracle", alias="other")
    call = CallRecord(effects.make_group.name, "[[], {}]", "[]", using="other", **when)
    with pytest.raises(NotSupportedError, match=r"'other'.*'oracle'.*Expected PostgreSQL"):
        outbox_ops(other).insert_calls(None, [call])
