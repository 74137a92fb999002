"""Tell faults of a database or a broker from faults of a call, by the codes of errors.

A database's error has a SQLSTATE (PostgreSQL), a number (MySQL, MariaDB) or a result code (SQLite).
The text of an error is not looked at: it is in any language, and holds names of tables and columns.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery.exceptions import TaskPredicate
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

MAX_CAUSES = 10
"""The number of errors at most that are looked at in a chain of causes. A library's error can have
Django's error as its cause, which has the driver's error as its cause."""

MYSQL_DRIVERS = ("MySQLdb", "pymysql")


@dataclass(frozen=True)
class Codes:
    """The codes that the databases have for one kind of fault."""

    sqlstates: tuple[str, ...]
    """Whole codes or classes of https://www.postgresql.org/docs/current/errcodes-appendix.html."""

    numbers: frozenset[int]
    """https://dev.mysql.com/doc/mysql-errors/8.0/en/, https://mariadb.com/kb/en/mariadb-error-codes/.
    They are used and not the SQLSTATE, because most errors have the general SQLSTATE HY000."""

    results: frozenset[int]
    """https://www.sqlite.org/rescode.html: extended codes, or primary codes, which stand for all
    extended codes of their kind."""

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
"""Conflicts between transactions, and servers without room. The next try can succeed."""

# A time limit of the server is none of these codes. It is an attempt of the call, which would take
# too long again.
#
# After 25P03 nobody can tell a host that froze from a call that computed for longer than the limit:
# the server saw the same silence. The calls of a batch run again alone, and nothing is counted. A
# call that was alone has an attempt, so that a frozen host costs it one. If it were not counted, a
# call that always computes too long would never be a dead letter, and at each try it would hold its
# process and its locks for the whole limit.
CONNECTION_LOST = Codes(
    # No connection; the server stops, starts or ends the session; a server that is read-only, as
    # after a failover, or with a full disk at some hosters.
    ("08", "57P", "25006"),
    frozenset(
        {
            *(0, 2002, 2003, 2006, 2013, 2055),  # no connection, as the client says
            *(1053, 1158, 1159, 1160, 1161, 1927, 4031),  # no connection, as the server says
            *(1030, 1180),  # the storage or a COMMIT in trouble
            *(1290, 1792, 1836),  # read-only, as a server is whose place another has taken
            *(1047, 3101),  # a node that is not in its cluster, or that the cluster refused
        }
    ),
    frozenset(
        {
            *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN),  # the disk, or the file, in trouble
            sqlite3.SQLITE_READONLY,
        }
    ),
)
"""A connection, a server or a file that went away, perhaps because of the call."""


def is_transient(error: BaseException) -> bool:
    """Return whether a database failed, not the call: a deadlock, a lost connection, a busy file.

    The same statements can succeed at once, on a new connection.
    """
    return any(
        CONFLICT_OR_FULL.has(each) or CONNECTION_LOST.has(each) or _is_without_a_code(each)
        for each in _causes(error)
    )


def costs_no_attempt(error: BaseException) -> bool:
    """Return whether the call is not to blame, so that no attempt is counted.

    That is so for a broker that can't be reached, a conflict over a lock and a full disk. It is not
    so for a lost connection: the call itself can be what ends the connection, at every attempt.
    """
    return any(
        isinstance(each, BrokerError) or CONFLICT_OR_FULL.has(each) for each in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and the errors that it was raised from; nothing for a retry or its kin."""
    each: Any = error
    for _ in range(MAX_CAUSES):
        if not isinstance(each, BaseException) or isinstance(each, TaskPredicate):
            return
        yield each
        each = _attribute(each, "__cause__")


def _is_without_a_code(error: BaseException) -> bool:
    """Return whether it is a database's error without a code.

    Then no server answered: the driver lost its connection, or could not open one.
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
    """Return the attribute; None if there is none, or if a class raises when it is asked."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001  # No database's error raises here.
        return None
