"""Settling by a task's statement: effects that are SQL happen where the calls are.

A batch costs one round trip, and no call leaves the database. There is no journal: what a process
that dies has sent, the server carries out or doesn't, and none of it can kill a process.
"""

from django.db import connections

from aftercommit.db.answers import Position, Settled
from aftercommit.db.vendors import outbox_ops

PATIENCE = 30
"""Seconds that a statement may take. Then the task's function runs, whose journal ends a call that
never does."""


def takes_statements(using: str) -> bool:
    """Return whether a task's statement can settle a batch in this database, here and now."""
    return outbox_ops(connections[using]).can_settle_by_statement()


def settle_by_statement(
    using: str, task: str, statement: str, size: int, after: Position | None = None
) -> Settled:
    """Settle up to ``size`` of the task's oldest due calls with one statement.

    Raises DatabaseError if the statement fails. Then nothing was settled. ``after`` is the
    position of the last call that this drain has settled: the index holds the calls before it until
    it is vacuumed, and the next statement need not walk over them. A transaction that commits late
    behind it has sent a wake-up for another drain.
    """
    ops = outbox_ops(connections[using])
    return ops.settle_by_statement(task, statement, size, after, PATIENCE)
