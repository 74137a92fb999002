"""Connections beside a test's own: to the database, and to Redis."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import Model

TIMEOUT = 60
"""Seconds that functions may take."""


def at_once(*functions: Callable[[], Any]) -> None:
    """Call all the functions, each in a thread of its own, starting together.

    Returns when all have ended, and raises the first error of one.
    """
    barrier = threading.Barrier(len(functions), timeout=TIMEOUT)
    errors: list[Exception] = []

    def run(function: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            function()
        except Exception as error:  # noqa: BLE001  # raised in the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[each], daemon=True) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), f"not done within {TIMEOUT} s"


def redis_url() -> str:
    """Return the address of the test's Redis with the login, which the settings keep apart."""
    return os.environ["REDIS_URL"]


@contextmanager
def another() -> Iterator[Any]:
    """Another connection, in a transaction that rolls back at the end of the block."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        yield other
    finally:
        other.rollback()  # a server notices later that a connection is closed, and keeps its locks
        other.close()


def somebody_waits() -> bool:
    """Return whether a transaction waits for another's lock, on PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@contextmanager
def locking(row: Model) -> Iterator[None]:
    """The row, locked by another connection in the block."""
    table = row._meta.db_table
    with another() as other, other.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} WHERE id = %s FOR UPDATE", [row.pk])  # noqa: S608
        yield
