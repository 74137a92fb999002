"""Record the calls of a test, and tell those that were handed over from those that were undone."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import connections

from aftercommit.contrib.testing.callbacks import is_test_transaction, waiting_ids, waiting_of_test
from aftercommit.contrib.testing.databases import usable_aliases
from aftercommit.contrib.testing.made_calls import Calls, MadeCall
from aftercommit.models import OutboxCall
from aftercommit.outbox.record import CallRecord


class Recorder:
    """Watches the calls of all threads and databases.

    A call is handed over when its transaction has committed, or while it waits on the on_commit
    list of its connection. Django takes it off that list when its savepoint or its transaction
    rolls back.
    """

    def __init__(self) -> None:
        self._made: list[tuple[CallRecord, Any]] = []
        """The calls, each with its thread's connection."""

        self._committed: set[int] = set()

    def see_made(self, call: CallRecord) -> None:
        """Take note of a call that is about to be handed to on_commit."""
        self._made.append((call, connections[call.using]))

    def see_committed(self, calls: Iterable[CallRecord]) -> None:
        """Take note of calls that committed.

        A call that a TestCase ran off the list without a COMMIT is still on it, and can be undone.
        """
        for call in calls:
            if call.pk not in waiting_ids(connections[call.using]):
                self._committed.add(call.pk)

    def see_earlier(self) -> None:
        """Take note of the calls that the test's fixtures made before this recorder began."""
        for alias in usable_aliases():
            earlier = waiting_of_test(alias) if is_test_transaction(alias) else _stored(alias)
            self._made += [(call, connections[alias]) for call in earlier]
            if not is_test_transaction(alias):
                self._committed.update(call.pk for call in earlier)

    def forget(self) -> None:
        """Forget the calls that were made so far."""
        self._made.clear()

    @property
    def handed_over(self) -> Calls:
        """Return the calls that committed, or that still wait to."""
        return Calls(MadeCall.of(call) for call, is_kept in self._look() if is_kept)

    @property
    def undone(self) -> Calls:
        """Return the calls whose savepoint or transaction rolled back."""
        return Calls(MadeCall.of(call) for call, is_kept in self._look() if not is_kept)

    def _look(self) -> Iterator[tuple[CallRecord, bool]]:
        made = list(self._made)  # other threads may add to it
        waiting = {id(each): waiting_ids(each) for _, each in made}
        for call, connection in made:
            yield call, call.pk in self._committed or call.pk in waiting[id(connection)]


def _stored(alias: str) -> Collection[CallRecord]:
    """Return the calls that the fixtures of a test that commits have left in the database."""
    rows = OutboxCall.objects.using(alias).order_by("created_at", "id")
    return [_record(alias, row) for row in rows]


def _record(alias: str, row: OutboxCall) -> CallRecord:
    eta = row.available_at if row.available_at > row.created_at else None
    call = CallRecord(row.task, row.payload, row.context, alias, eta=eta)
    call.pk = row.pk
    return call
