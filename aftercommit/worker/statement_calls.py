"""Settle calls by their task's own SQL statement, and by its function where the statement fails."""

import logging

from django.db import DatabaseError

from aftercommit.db.answers import Position, Settled
from aftercommit.worker.atomic_calls import AtomicCalls
from aftercommit.worker.connections import drop_broken_connection, retry_transient
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.statement import settle_by_statement

logger = logging.getLogger(__name__)


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
        state, options = self._state, self._state.options
        name, size = state.task.name, options.batch_size
        return settle_by_statement(state.using, name, options.sql, size, self._last)
