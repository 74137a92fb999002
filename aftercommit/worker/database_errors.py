"""Errors: whose fault a failure is, by the codes that databases give and by no words.

A database's error has a SQLSTATE (PostgreSQL), a number (MySQL, MariaDB) or a result code (SQLite).
Its text is in any language, and holds names of tables and columns, so that it proves nothing.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery.exceptions import TaskPredicate
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

MAX_CAUSES = 10
"""How many causes of an error are looked at. A library's error can have Django's as its cause,
which has the driver's."""

MYSQL_DRIVERS = ("MySQLdb", "pymysql")


@dataclass(frozen=True)
class Codes:
    """What the databases call one kind of fault."""

    sqlstates: tuple[str, ...]
    """https://www.postgresql.org/docs/current/errcodes-appendix.html: whole ones, or a class."""

    numbers: frozenset[int]
    """https://dev.mysql.com/doc/mysql-errors/8.0/en/, https://mariadb.com/kb/en/mariadb-error-codes/:
    they come before the SQLSTATE, which is the general one for most of them."""

    results: frozenset[int]
    """https://www.sqlite.org/rescode.html: primary ones, which stand for all of their kind, or
    extended ones."""

    def has(self, error: BaseException) -> bool:
        """Return whether the error itself has one of these codes."""
        sqlstate, number, result = _sqlstate(error), _number(error), _result(error)
        if number is not None:
            return number in self.numbers
        if result is not None:
            return result in self.results or (result & 0xFF) in self.results
        return sqlstate is not None and sqlstate.startswith(self.sqlstates)


CONFLICT_OR_FULL = Codes(
    (
        *("40000", "40001", "40003", "40P01", "55P03"),  # a conflict over a row or its lock
        *("53000", "53100", "53200", "53300"),  # too few resources; not 53400, a limit of one's own
    ),
    frozenset(
        {
            *(1020, 1205, 1206, 1213, 3572),  # a conflict over a row or its lock
            *(1021, 1114),  # a full disk, a full table
            *(1037, 1041, 1135),  # no memory, no thread
            *(1040, 1203, 1226),  # too many connections
        }
    ),
    frozenset(
        {
            # Without a shared cache SQLITE_LOCKED is a conflict of a connection with itself.
            *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED_SHAREDCACHE, sqlite3.SQLITE_PROTOCOL),
            sqlite3.SQLITE_FULL,
        }
    ),
)
"""Conflicts between transactions, and a server without room: another try may well succeed."""

# What a call took too long for would take too long again: statement_timeout (57014),
# idle_in_transaction_session_timeout (25P03) and transaction_timeout (25P04) are attempts.
CONNECTION_LOST = Codes(
    ("08", "57P"),  # no connection; the server stops, starts or ends the session
    frozenset(
        {
            *(0, 2002, 2003, 2006, 2013, 2055),  # no connection, as the client says
            *(1053, 1158, 1159, 1160, 1161, 1927, 4031),  # no connection, as the server says
            *(1030, 1180),  # the storage or a COMMIT in trouble
            *(1290, 1836),  # read-only, as a server is whose place another has taken
        }
    ),
    frozenset(
        {
            *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN),  # the disk, or the file, in trouble
            sqlite3.SQLITE_READONLY,
        }
    ),
)
"""A connection, a server or a file that went away: perhaps by what the call did to it."""


def is_transient(error: BaseException) -> bool:
    """Return whether a database failed, not the call: a deadlock, a lost connection, a busy file.

    The same statements may succeed at once, on a new connection.
    """
    return any(
        CONFLICT_OR_FULL.has(each) or CONNECTION_LOST.has(each) or _is_without_a_code(each)
        for each in _causes(error)
    )


def is_blameless(error: BaseException) -> bool:
    """Return whether the error says nothing about the call, so that no attempt is counted.

    It is a broker that can't be reached, a conflict over a lock, a full disk. A lost connection is
    not blameless: the call itself can have ended it, at every attempt.
    """
    return any(
        isinstance(each, BrokerError) or CONFLICT_OR_FULL.has(each) for each in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was explicitly raised from; nothing of what Celery is asked."""
    each: Any = error
    for _ in range(MAX_CAUSES):
        if not isinstance(each, BaseException) or isinstance(each, TaskPredicate):
            return
        yield each
        each = _attribute(each, "__cause__")


def _is_without_a_code(error: BaseException) -> bool:
    """Return whether Django's error is one for which no server gave a code.

    Then no server answered: a driver lost its connection, or could not make one.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__ or error
    return _sqlstate(cause) is None and _number(cause) is None and _result(cause) is None


def _sqlstate(error: BaseException | None) -> str | None:
    value = _attribute(error, "sqlstate") or _attribute(error, "pgcode")
    return value if isinstance(value, str) else None


def _number(error: BaseException) -> int | None:
    if not any(each.__module__.startswith(MYSQL_DRIVERS) for each in type(error).__mro__):
        return None
    args = _attribute(error, "args")
    return args[0] if args and isinstance(args[0], int) else None


def _result(error: BaseException) -> int | None:
    value = _attribute(error, "sqlite_errorcode")
    return value if isinstance(value, int) else None


def _attribute(error: Any, name: str) -> Any:
    """Return the attribute, or None: that of a stranger's class may raise."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001  # whatever it is, no database gave it
        return None
