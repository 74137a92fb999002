"""The ids of calls: known before the row is written, and no other process's."""

import ctypes
import os
from collections.abc import Callable

import pytest

from aftercommit.outbox.ids import new_id
from aftercommit.outbox.record import CallRecord


def test_order() -> None:
    """The calls of a process are in the order in which they were made."""
    first, second = new_id(), new_id()
    assert 0 < first < second < 2**63


@pytest.mark.parametrize("make", [new_id, lambda: CallRecord("task", "", "", "default").pk])
@pytest.mark.parametrize("fork", [os.fork, ctypes.PyDLL(None).fork], ids=["Python", "C"])
def test_fork(fork: Callable[[], int], make: Callable[[], int]) -> None:
    """A process that was forked counts from a number of its own, also if a C program forked it."""
    reader, writer = os.pipe()
    before = make()
    child = fork()
    if not child:
        os.write(writer, str(make()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    other = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)
    assert abs(other - before) > 1_000_000
