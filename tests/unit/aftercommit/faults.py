"""Errors as Django and its drivers raise them, made without a server."""

import sqlite3
from typing import Any

from django.db import OperationalError, connection


def wrapped(cause: BaseException, kind: type[Exception] = OperationalError) -> Exception:
    """Return Django's error of the driver's one."""
    error = kind(*cause.args)
    error.__cause__ = cause
    return error


def of_sqlite(code: int, text: str = "an error") -> Exception:
    """Return what Django raises for a result code of SQLite."""
    cause: Any = sqlite3.OperationalError(text)
    cause.sqlite_errorcode = code
    return wrapped(cause)


def of_postgresql(sqlstate: str, text: str = "an error") -> Exception:
    """Return what Django raises for a SQLSTATE of PostgreSQL."""
    from psycopg.errors import lookup

    return wrapped(lookup(sqlstate)(text))


def of_mysql(number: int, text: str = "an error") -> Exception:
    """Return what Django raises for an error's number of MySQL."""
    from pymysql.err import OperationalError as Error

    return wrapped(Error(number, text, sqlstate="HY000"))


def deadlock() -> Exception:
    """Return what Django raises for a deadlock or, of SQLite, for a busy file."""
    match connection.vendor:
        case "postgresql":
            return of_postgresql("40P01", "deadlock detected")
        case "mysql":
            return of_mysql(1213, "Deadlock found when trying to get lock")
    return of_sqlite(sqlite3.SQLITE_BUSY, "database is locked")
