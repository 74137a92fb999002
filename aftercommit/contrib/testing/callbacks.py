"""Django's on_commit lists: the calls that wait on them, and COMMIT where a TestCase has none."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections
from django.test import TestCase

from aftercommit.outbox.eager import EagerCall
from aftercommit.outbox.pending import PendingCall
from aftercommit.outbox.record import CallRecord


def waiting_ids(connection: Any) -> set[int]:
    """Return the ids of the calls on the connection's on_commit list."""
    return {call.pk for entry in connection.run_on_commit if (call := record_of(entry[1]))}


def record_of(callback: Any) -> CallRecord | None:
    """Return the call of an on_commit callback. Return None for any other callback."""
    if isinstance(callback, EagerCall):
        return callback.record
    return callback if isinstance(callback, PendingCall) else None


def is_test_transaction(alias: str) -> bool:
    """Return whether all that happens in the database is in a transaction of the TestCase."""
    return connections[alias].in_atomic_block


def waiting_of_test(alias: str) -> list[CallRecord]:
    """Return the calls of this test that wait, without those of its class's ``setUpTestData``.

    The class has begun the transaction, so that the outermost savepoint is the test's.
    """
    connection = connections[alias]
    own = set(connection.savepoint_ids[:1])
    entries = [entry for entry in connection.run_on_commit if own <= set(entry[0])]
    return [call for entry in entries if (call := record_of(entry[1]))]


def store_waiting(alias: str) -> None:
    """Store the test's calls that wait for a COMMIT which a TestCase never reaches."""
    for call in waiting_of_test(alias):
        if isinstance(call, PendingCall):
            call()


@contextmanager
def committing(aliases: list[str]) -> Iterator[None]:
    """Run the on_commit callbacks of this block at its end, where a TestCase commits nothing.

    The callbacks that ran are taken off Django's list, as by a COMMIT, so that nobody runs them
    again. The calls stay, because a savepoint that rolls back takes its calls off the list.
    """
    inside = {
        alias: len(connections[alias].run_on_commit)
        for alias in aliases
        if is_test_transaction(alias)
    }
    try:
        with ExitStack() as stack:
            for alias in inside:
                stack.enter_context(TestCase.captureOnCommitCallbacks(using=alias, execute=True))
            yield
    finally:
        for alias, count in inside.items():
            entries = connections[alias].run_on_commit
            entries[count:] = [each for each in entries[count:] if record_of(each[1])]


def count_other_callbacks() -> int:
    """Return how many on_commit callbacks, other than calls, wait in the test's transactions."""
    entries = [
        entry for each in connections.all(initialized_only=True) for entry in each.run_on_commit
    ]
    return sum(record_of(entry[1]) is None for entry in entries)
