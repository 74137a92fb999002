"""How long a transaction may be idle before the server ends it.

A host that freezes, or loses its power, keeps what its transactions have locked until the server
ends them. While a call computes, its transaction is idle too, so that the limit is above all time
limits.
"""

from celery import current_app
from django.db import connections

from aftercommit.conf import conf
from aftercommit.db.vendors import outbox_ops
from aftercommit.worker.time_limits import get_hard_limit

MARGIN = 5
"""Seconds that a process which is over its time limit has to be killed."""

NO_LIMIT = 3600
"""Seconds that a call is taken to need at most, where no time limit holds for it."""


def idle_seconds(name: str) -> float:
    """Return how long a transaction with calls of the task may be idle."""
    given = conf()
    if given.IDLE_LIMIT is not None:
        return given.IDLE_LIMIT
    task = current_app.tasks.get(name)
    limit = (get_hard_limit(task) if task else None) or NO_LIMIT
    return given.DRAIN_SECONDS + limit + MARGIN


def is_nested(using: str) -> bool:
    """Return whether the innermost block is inside somebody else's transaction, such as a test's.

    A limit that is set here would go on in that transaction.
    """
    return bool(connections[using].savepoint_ids)


def limit_idle_session(using: str) -> None:
    """Have a server that can't end a single transaction end this connection if it is idle too long.

    The limit that one task sets for the session holds for the next task too. So that no task loses
    a connection while it computes, the limit is that of the task that may be idle for longest.
    """
    longest = lambda: max(idle_seconds(name) for name in current_app.tasks)  # noqa: E731
    outbox_ops(connections[using]).limit_idle_session(longest)
