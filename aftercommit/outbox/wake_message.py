"""The message that wakes a task: where it is sent, what it says, and if it still means anything."""

import time
from collections.abc import Mapping
from typing import Any

from celery import current_app
from celery.utils import uuid

from aftercommit.amqp.limit import limited_producer
from aftercommit.conf import conf
from aftercommit.outbox.turns import read_turns

DRAIN = "aftercommit.drain"
"""The task that a wake-up calls, with the name of the task to drain and the database's alias."""

# One quick try on a new connection: the pooled one may be to a server that has restarted.
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

DESTINATION = ("queue", "routing_key", "exchange", "exchange_type", "priority", "delivery_mode")
"""The options of a task and of a route that say where messages go. A wake-up takes no other options
from them, because those are about calls: ``expires``, for example."""

LATE_CALLS = 3
"""The number of calls that can take their full time limit after the drain's own time."""

LIMIT_SLACK = 30
"""Seconds that a drain has for what isn't a call: to connect, to claim, to settle."""


TURN = "outbox_turn"
"""The header of a wake-up that says which drain of the task was the last to begin."""

SENT = "outbox_sent"
"""The header of a wake-up that says when it was sent, by the clock of its host."""

FRESH_SECONDS = 1
"""The time after it was sent in which a wake-up is taken not to be overtaken. That saves a round
trip where calls are to begin at once. Hosts whose clocks differ cost a round trip or an empty
drain."""


def publish(name: str, using: str, headers: Mapping[str, Any]) -> None:
    """Send the message that has a worker drain the task, to where the task's own messages go.

    ``send_task`` would do the same, with a result that nobody reads, in a third more time. Raises
    the errors of the broker's client, also if the broker doesn't answer.
    """
    app: Any = current_app
    hard, soft = drain_limits(app.tasks.get(name))
    message = app.amqp.create_task_message(
        uuid(),
        DRAIN,
        [name, using],
        time_limit=hard,
        soft_time_limit=soft,
        ignore_result=True,
        argsrepr=repr((name, using)),
    )
    options = {**destination(name), "headers": headers, "retry": True, "retry_policy": RETRY_POLICY}
    with limited_producer(app) as producer:
        app.amqp.send_task_message(producer, DRAIN, message, **options)


def destination(name: str) -> dict[str, Any]:
    """Return the options that send a message to where the messages of this task go."""
    app: Any = current_app
    task = app.tasks.get(name)
    own = {key: getattr(task, key, None) for key in DESTINATION}
    known = {key: value for key, value in own.items() if value is not None}
    options = app.amqp.router.route(known, name, task_type=task)
    return {key: value for key, value in options.items() if key in DESTINATION}


def drain_limits(task: Any) -> tuple[float | None, float | None]:
    """Return the hard and the soft time limit of the task's drains, in seconds, or None.

    ``task`` is None if this process hasn't got it. A drain that calls hold up is killed when they
    have had their time, later than any of the calls. Celery's limits for all tasks would hit the
    call that happens to run when the drain's time is up.
    """
    return total_limits(*(_limit(task, name) for name in ("time_limit", "soft_time_limit")))


def total_limits(hard: float | None, soft: float | None) -> tuple[float | None, float | None]:
    """Return the limits of a drain whose calls have these limits, in seconds, or None."""
    own = conf().DRAIN_SECONDS + LIMIT_SLACK
    total = own + LATE_CALLS * hard if hard else None
    if not soft:
        return total, None
    return total, total - 1 if total else own + LATE_CALLS * soft


def _limit(task: Any, name: str) -> float | None:
    own: float | None = getattr(task, name, None)
    return own or current_app.conf.get(f"task_{name}")


def is_overtaken(using: str, task: str, headers: Mapping[str, Any]) -> bool:
    """Return whether a drain has begun since the wake-up with these headers was sent.

    That drain has seen the rows that the wake-up was for. A drain that lasts is woken again and
    again, and each of these messages would take time from another task. Redis isn't asked about a
    wake-up that was sent just now.
    """
    turn, sent = headers.get(TURN), headers.get(SENT)
    if not turn or (isinstance(sent, int | float) and 0 <= time.time() - sent < FRESH_SECONDS):
        return False
    begun = read_turns([(using, task)])[using, task].begun
    return bool(begun) and begun != turn
