"""Whose fault a failure is, as the databases' codes say."""

import sqlite3
from typing import Any

import pytest
from celery import exceptions
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

from aftercommit.worker.database_errors import MAX_CAUSES, costs_no_attempt, is_transient
from tests.unit.aftercommit.faults import of_mysql, of_postgresql, of_sqlite, wrapped

pytestmark = pytest.mark.every_database

Retry: Any = exceptions.Retry  # its stub has fewer types than authors give

CALLS_FAULT, TRANSIENT, BLAMELESS = (False, False), (True, False), (True, True)


def fault_of(error: BaseException) -> tuple[bool, bool]:
    """Return whether the error is transient, and whether it is blameless."""
    return is_transient(error), costs_no_attempt(error)


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("40001", BLAMELESS),  # serialization failure
        ("40P01", BLAMELESS),  # deadlock
        ("55P03", BLAMELESS),  # a lock isn't available
        ("53100", BLAMELESS),  # the disk is full
        ("53200", BLAMELESS),  # no memory
        ("53300", BLAMELESS),  # too many connections
        ("53400", CALLS_FAULT),  # temp_file_limit: the call asks for too much
        ("40002", CALLS_FAULT),  # a constraint
        ("08006", TRANSIENT),  # the connection failed
        ("57P01", TRANSIENT),  # the server stops
        ("57P03", TRANSIENT),  # the server starts
        ("25006", TRANSIENT),  # the server is read-only
        ("57014", CALLS_FAULT),  # statement_timeout
        ("25P03", CALLS_FAULT),  # idle_in_transaction_session_timeout
        ("42P01", CALLS_FAULT),  # no such table
        ("22P02", CALLS_FAULT),  # no such number
    ],
)
@pytest.mark.parametrize("text", ["an error", "the disk is full, the row is locked, closed"])
def test_sqlstate(sqlstate: str, expected: tuple[bool, bool], text: str) -> None:
    """PostgreSQL's faults are told from a call's by the SQLSTATE; their text has no say."""
    assert fault_of(of_postgresql(sqlstate, text)) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1213, BLAMELESS),
        (1205, BLAMELESS),
        (1114, BLAMELESS),
        (2013, TRANSIENT),
        (1290, TRANSIENT),
        (1792, TRANSIENT),
        (1047, TRANSIENT),
        (3101, TRANSIENT),
        (1317, CALLS_FAULT),
        (1054, CALLS_FAULT),
    ],
)
def test_number(number: int, expected: tuple[bool, bool]) -> None:
    """MySQL's faults are told from a call's by the error's number."""
    assert fault_of(of_mysql(number, "Unknown column 'full_name', table is locked")) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, BLAMELESS),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, BLAMELESS),
        (sqlite3.SQLITE_LOCKED_SHAREDCACHE, BLAMELESS),
        (sqlite3.SQLITE_LOCKED, CALLS_FAULT),  # a connection in conflict with itself
        (sqlite3.SQLITE_FULL, BLAMELESS),
        (sqlite3.SQLITE_IOERR_WRITE, TRANSIENT),
        (sqlite3.SQLITE_READONLY_DBMOVED, TRANSIENT),
        (sqlite3.SQLITE_CANTOPEN, TRANSIENT),
        (sqlite3.SQLITE_ERROR, CALLS_FAULT),
    ],
)
def test_result_code(code: int, expected: tuple[bool, bool]) -> None:
    """SQLite's faults are told from a call's by the result code, the extended ones too."""
    assert fault_of(of_sqlite(code, "no such column: full_name, locked")) == expected


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_connection_without_a_code(kind: type[Exception]) -> None:
    """A connection that broke, for which no server gave a code, is the database's fault."""
    from psycopg import OperationalError as Lost

    assert fault_of(wrapped(Lost("consuming input failed"), kind)) == TRANSIENT
    assert fault_of(kind("the connection is closed")) == TRANSIENT


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "the disk is full and locked"),
        ValueError(1213, "deadlock"),  # a number, and no database's
        IntegrityError("blocked"),
        DataError("full"),
        Retry("", of_postgresql("40P01"), 5),
    ],
)
def test_calls_own(error: Exception) -> None:
    """No other error is the database's fault, whatever its words and numbers."""
    assert fault_of(error) == CALLS_FAULT


def test_retry_from_a_deadlock() -> None:
    """A retry that the author asked for is one, whatever the author asks it for."""
    error = Retry("", None, 5)
    error.__cause__ = of_postgresql("40P01")
    assert fault_of(error) == CALLS_FAULT


def test_broker() -> None:
    """A broker that can't be reached says nothing about the call, and nothing of a database."""
    assert fault_of(BrokerError("down")) == (False, True)


def test_causes() -> None:
    """An error that was raised from a database's has its fault; one that was only raised after it
    hasn't."""
    error = ValueError("not saved")
    error.__cause__ = of_postgresql("40001")
    assert fault_of(error) == BLAMELESS
    error = ValueError("not saved")
    error.__context__ = of_postgresql("40001")
    assert fault_of(error) == CALLS_FAULT


def test_causes_without_an_end() -> None:
    """Causes that are each other's are looked at only so often."""
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert MAX_CAUSES < 100
    assert fault_of(one) == CALLS_FAULT


class Strange(Exception):
    """An error with attributes of its own ideas."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("sqlstate", "pgcode", "args", "__cause__", "sqlite_errorcode", "requeue"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class Numbered(Exception):
    """An error whose codes are no codes."""

    sqlstate = 40001
    pgcode = b"40001"
    sqlite_errorcode = "5"
    args = (1213,)  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Strange, Numbered])
def test_strange_attributes(kind: type[Exception]) -> None:
    """Attributes that raise, or are of another type, are no codes."""
    assert fault_of(kind()) == CALLS_FAULT


@pytest.mark.django_db
class TestFromTheServer:
    """Errors that the test's own database gives."""

    @pytest.mark.parametrize(
        ("name", "statement"),
        [
            ("full_name", "SELECT full_name FROM auth_group"),
            ("blocked_users", "SELECT 1 FROM blocked_users"),
            ("closed", "SELECT closed FROM auth_group"),
        ],
    )
    def test_no_such_column(self, name: str, statement: str) -> None:
        """A name that is one of the words that databases use for their faults is no fault."""
        with pytest.raises(Exception, match=name) as raised, connection.cursor() as cursor:
            cursor.execute(statement)
        assert fault_of(raised.value) == CALLS_FAULT
