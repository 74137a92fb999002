"""Threads beside a pool that forks: no process is forked while one of them is at the database.

A process that is forked while another thread holds a lock of the database's library (sqlite3_open
takes one, as does TLS) gets a copy of that lock that nobody will release: it hangs at its first
connection, for good, and the worker's pool has one process less.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

FORK_WAITS = 10
"""Seconds that a fork waits at most: a thread may be waiting for a server that is silent."""

_gate = threading.RLock()
"""Held by whoever forks; threads pass it on their way into a block."""

_inside: list[Any] = []
"""A lock for each block that a thread is in."""


@contextmanager
def no_fork() -> Iterator[None]:
    """Have the forks of other threads wait for the end of the block, FORK_WAITS seconds at most."""
    block = threading.RLock()
    with _gate:
        block.acquire()
        _inside.append(block)
    try:
        yield
    finally:
        _inside.remove(block)
        block.release()


def _before() -> None:
    deadline = time.monotonic() + FORK_WAITS
    if not _gate.acquire(timeout=FORK_WAITS):
        return
    for block in list(_inside):
        if block.acquire(timeout=max(deadline - time.monotonic(), 0)):
            block.release()


def _after_in_parent() -> None:
    with suppress(RuntimeError):  # it wasn't acquired in time
        _gate.release()


def _after_in_child() -> None:
    global _gate, _inside
    _gate, _inside = threading.RLock(), []


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
