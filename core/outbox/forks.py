"""A thread beside a pool that forks: no process is forked while the thread is at the database.

A process that is forked while another thread holds a lock of the database's library (sqlite3_open
takes one, as does TLS) gets a copy of that lock that nobody will release: it hangs at its first
connection, for good, and the worker's pool has one process less.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FORK_WAITS = 10
"""Seconds that a fork waits at most: the thread may be waiting for a server that is silent."""

_busy = threading.RLock()  # which only its owner can release


@contextmanager
def no_fork() -> Iterator[None]:
    """Have the forks of other threads wait for the end of the block, FORK_WAITS seconds at most."""
    with _busy:
        yield


def _before() -> None:
    _busy.acquire(timeout=FORK_WAITS)


def _after_in_parent() -> None:
    with suppress(RuntimeError):  # it wasn't acquired in time
        _busy.release()


def _after_in_child() -> None:
    global _busy
    _busy = threading.RLock()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
