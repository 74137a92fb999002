"""Keep a pool from forking a process while another thread is at the database.

A process that is forked while a thread holds a lock of the database's library (sqlite3_open takes
one, as does TLS) gets a copy of that lock that nobody will release. It hangs for good at its first
connection, and the worker's pool has one process less.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

FORK_WAITS = 10
"""Seconds that a fork waits at most. A thread can be waiting for a server that is silent."""

_gate = threading.RLock()
"""Held by the thread that forks. Other threads pass it on their way into a block."""

_inside: list[Any] = []
"""A lock for each block that a thread is inside."""


@contextmanager
def no_fork() -> Iterator[None]:
    """Have forks of other threads wait for the end of the block, FORK_WAITS seconds at most."""
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
    with suppress(RuntimeError):  # _before() did not get it in time.
        _gate.release()


def _after_in_child() -> None:
    global _gate, _inside
    _gate, _inside = threading.RLock(), []


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
