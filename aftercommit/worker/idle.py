"""How long a transaction may be idle before the server ends it.

A host that freezes, or loses its power, keeps what its transactions have locked until the server
ends them. While a call computes, its transaction is idle too, so that the limit is above all time
limits.
"""

from typing import Any

from celery import current_app
from django.db import connections

from aftercommit.conf import conf
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
    """Return whether the innermost block is in a transaction of somebody else's: a test's, say.

    A limit would be left to that transaction.
    """
    return bool(connections[using].savepoint_ids)


def limit_idle(using: str, seconds: float) -> None:
    """Have the server end this transaction if it is idle for so long.

    PostgreSQL only: MariaDB and MySQL have their limit from ``limit_idle_session``. SQLite has
    none: its file stays locked as long as the process that writes to it is there.
    """
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true)",
                [as_milliseconds(seconds)],
            )


def limit_idle_session(using: str) -> None:
    """On MariaDB and MySQL: have the server end this connection if it is idle for too long.

    They end none by its transaction alone (MariaDB can, MySQL can't), and what one task's session
    is told holds for the next task's. So that no task loses a connection while it computes, the
    limit is that of the task that may be idle for longest. Asks the server once a connection.
    """
    connection: Any = connections[using]
    if connection.vendor != "mysql":
        return
    connection.ensure_connection()
    if getattr(connection, "_limited", None) is connection.connection:
        return
    seconds = max(idle_seconds(name) for name in current_app.tasks)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = %s", [max(1, round(seconds))])
    connection._limited = connection.connection


def as_milliseconds(seconds: float) -> str:
    """Return the value of PostgreSQL's setting; at least 1, since 0 would be no limit."""
    return str(max(1, round(min(seconds * 1000, 2**31 - 1))))
