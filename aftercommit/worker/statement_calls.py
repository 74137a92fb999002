"""Settle calls by their task's own SQL statement, and by its function where the statement fails.

A batch costs one round trip, and no call leaves the database. There is no journal: what a process
that dies has sent, the server carries out or doesn't, and none of it can kill a process.
"""

import logging

from django.db import DatabaseError, connections

from aftercommit.db.answers import Position, Settled
from aftercommit.db.vendors import outbox_ops
from aftercommit.worker.atomic_calls import AtomicCalls
from aftercommit.worker.connections import drop_broken_connection, retry_transient
from aftercommit.worker.drain_state import DrainState

logger = logging.getLogger(__name__)

PATIENCE = 30
"""Seconds that a statement may take. Then the task's function runs, whose journal ends a call that
never does."""


def takes_statements(using: str) -> bool:
    """Return whether a task's statement can settle a batch in this database, here and now."""
    return outbox_ops(connections[using]).can_settle_by_statement()


class StatementCalls:
    """The due calls of a task with ``sql``, for one drain.

    ``fallback`` settles the calls of a statement that failed, so that each has its own outcome.
    """

    def __init__(self, state: DrainState, fallback: AtomicCalls) -> None:
        self._state = state
        self._fallback = fallback
        self._last: Position | None = None
        """The last call that was settled. The next statement begins to look behind it."""

    def settle_next(self) -> bool:
        """Settle one batch; return whether there may be more calls that are due."""
        using, name = self._state.using, self._state.task.name
        try:
            settled = retry_transient(using, self._settle_batch)
        except DatabaseError as error:
            logger.warning("%s: its statement failed, its function runs: %s", name, error)
            drop_broken_connection(using)
            return self._fallback.settle_next()
        if settled.more:
            self._state.wake_others()
        self._state.summary.settled += settled.calls
        self._last = settled.last
        return settled.more

    def _settle_batch(self) -> Settled:
        """Settle the oldest due calls, up to a batch. Raise DatabaseError if none was settled.

        The index holds the calls that were settled before until it is vacuumed. The statement need
        not walk over them: it looks behind the last one. A transaction that commits late behind it
        has sent a wake-up for another drain.
        """
        state, options = self._state, self._state.options
        name, size = state.task.name, options.batch_size
        ops = outbox_ops(connections[state.using])
        return ops.settle_by_statement(name, options.sql, size, self._last, PATIENCE)
