"""The ids of calls: known before the row is written, and no other process's."""

import os

from aftercommit.outbox.ids import new_id


def test_order() -> None:
    """The calls of a process are in the order in which they were made."""
    first, second = new_id(), new_id()
    assert 0 < first < second < 2**63


def test_fork() -> None:
    """A process that was forked counts from a number of its own."""
    reader, writer = os.pipe()
    before = new_id()
    child = os.fork()
    if not child:
        os.write(writer, str(new_id()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    other = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)
    assert abs(other - before) > 1_000_000
