"""Settle one task's due calls, batch after batch, until none is due or the time is up."""

from typing import Protocol

from aftercommit.outbox.turns import begin_turn
from aftercommit.worker.atomic_calls import AtomicCalls
from aftercommit.worker.connections import drop_broken_connection
from aftercommit.worker.deferred_writes import write_deferred
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.due import oldest_age
from aftercommit.worker.outside_calls import OutsideCalls
from aftercommit.worker.statement_calls import StatementCalls, takes_statements
from aftercommit.worker.summary import DrainSummary


class Settler(Protocol):
    """One way to settle calls: in a transaction, by a statement, or under a lease."""

    def settle_next(self) -> bool:
        """Settle the next calls; return whether there may be more that are due."""


def drain(state: DrainState) -> DrainSummary:
    """Settle calls until none is due or the time is up; then leave the rest to another drain."""
    using, name = state.using, state.task.name
    drop_broken_connection(using)
    write_deferred()
    begin_turn(using, name)
    settler = build_settler(state)
    while settler.settle_next() and not state.is_time_up():
        pass
    if state.is_time_up():
        state.wake_others()
        state.summary.oldest_age = oldest_age(using, name)
    return state.summary


def build_settler(state: DrainState) -> Settler:
    """Return the way to settle the task's calls that its options and the database allow."""
    if not state.options.atomic:
        return OutsideCalls(state)
    atomic = AtomicCalls(state)
    # A statement would settle a whole batch at once, whatever the task's rate limit is.
    if state.options.sql and not atomic.rate.is_limited and takes_statements(state.using):
        return StatementCalls(state, atomic)
    return atomic
