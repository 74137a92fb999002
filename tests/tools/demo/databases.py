"""A database for one run that nothing else uses, and a connection that only reads it."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.tools.servers.postgres import PostgresServer

SQLITE, POSTGRES = "sqlite", "postgres"
CONNECT_TIMEOUT = 5


class DatabaseError(Exception):
    """The database that was asked for can't be used; the message says why."""


class Reader(Protocol):
    """A connection that reads what has committed."""

    def rows(self, query: str) -> list[Any]:
        """All rows of the query, as tuples."""

    def close(self) -> None:
        """Ends the connection."""


class SqliteReader:
    """Reads an SQLite file that other processes write."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )

    def rows(self, query: str) -> list[Any]:
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        self._connection.close()


class PostgresReader:
    """Reads a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        read_only = "-c default_transaction_read_only=on"
        self._connection = psycopg.connect(url, autocommit=True, options=read_only)

    def rows(self, query: str) -> list[Any]:
        return self._connection.execute(query.encode()).fetchall()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def throw_away_database(choice: str) -> Iterator[str]:
    """The ``DATABASE_URL`` of an empty database, which is gone afterwards; "" stands for SQLite.

    ``choice`` is "sqlite", "postgres" for a server of our own, or the address of a PostgreSQL
    server, on which a new database is made: those that it has are left alone.
    """
    if choice == SQLITE:
        yield ""
    elif choice == POSTGRES:
        with PostgresServer() as server:
            yield server.url
    else:
        with _database_on(choice) as url:
            yield url


@contextmanager
def _database_on(url: str) -> Iterator[str]:
    name = f"aftercommit_demo_{secrets.token_hex(4)}"
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise DatabaseError(
            f"--database names neither {SQLITE} nor {POSTGRES} nor a PostgreSQL server. "
            "Expected for example postgres://USER:PASSWORD@HOST:PORT/NAME."
        )
    _execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield parts._replace(path=f"/{name}").geturl()
    finally:
        _execute(url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(url: str, statement: sql.Composed) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        # Without its cause and the address, which has a password in it.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        reason = first.rpartition("failed: ")[2]
        raise DatabaseError(f"--database: the server can't be used ({reason}).") from None
