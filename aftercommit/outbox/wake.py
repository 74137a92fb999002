"""Wake-ups: a message for each task that has rows, sent off the request by a thread.

A wake-up carries no data. One that is lost costs time, the sweep's interval, and a duplicate does
nothing, so nothing here is ever worth failing or delaying a request for.
"""

import atexit
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from celery import current_app
from celery.utils import uuid

from aftercommit.conf import conf
from aftercommit.outbox.record import CallRecord
from aftercommit.outbox.turns import SENT, TURN, Turn, hold_back, turns
from aftercommit.outbox.waker import Message, Waker

DRAIN = "aftercommit.drain"
"""The task that a wake-up calls, with the name of the task to drain and the database's alias."""

# One quick try on a new connection: the pooled one may be to a server that has restarted.
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

DESTINATION = ("queue", "routing_key", "exchange", "exchange_type", "priority", "delivery_mode")
"""The options of a task and of a route that say where messages go. A wake-up has no others of
theirs: ``expires``, for example, is about calls."""

LATE_CALLS = 3
"""How many calls a drain may run for as long as each may, after its own time."""

LIMIT_SLACK = 30
"""Seconds that a drain has for what isn't a call: to connect, to claim, to settle."""


def wake_tasks(calls: Iterable[CallRecord]) -> None:
    """Have the tasks of the calls that are due woken, off this thread."""
    if targets := {(call.using, call.task): None for call in calls if call.is_due}:
        _waker.wake(targets)


def wake_task(using: str, task: str) -> None:
    """Have one task woken, off this thread."""
    _waker.wake([(using, task)])


def send_soon(message: Message) -> None:
    """Have a function called that sends something to the broker, off this thread.

    Returns at once and never raises. The function isn't called if the broker is down, or if a
    thousand others come after it before their turn.
    """
    _waker.send(message)


def send_wake_up(using: str, task: str, known: Turn | None = None) -> bool:
    """Send the task a wake-up, unless one is under way. Return whether it was sent.

    ``known`` is what ``turns`` said of the task. Raises what the broker's client raises.
    """
    turn = known or turns([(using, task)])[using, task]
    if turn.is_woken:
        return False
    # By an old turn it would be overtaken by a drain that had begun before it was sent.
    publish(task, using, {TURN: 0 if turn.is_old else turn.begun, SENT: time.time()})
    hold_back(using, task, turn)
    return True


def publish(name: str, using: str, headers: Mapping[str, Any]) -> None:
    """Send the message that has a worker drain the task, to where the task's own messages go.

    What ``send_task`` does for those who want a result, in three quarters of the time.
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
    with app.producer_or_acquire() as producer:
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
    own = conf().DRAIN_SECONDS + LIMIT_SLACK
    hard, soft = (_limit(task, name) for name in ("time_limit", "soft_time_limit"))
    total = own + LATE_CALLS * hard if hard else None
    if not soft:
        return total, None
    return total, total - 1 if total else own + LATE_CALLS * soft


def _limit(task: Any, name: str) -> float | None:
    own: float | None = getattr(task, name, None)
    return own or current_app.conf.get(f"task_{name}")


_waker = Waker(lambda *wake_up: send_wake_up(*wake_up))


def _renew_waker() -> None:
    global _waker
    _waker = Waker(lambda *wake_up: send_wake_up(*wake_up))


os.register_at_fork(after_in_child=_renew_waker)


@atexit.register
def flush_wake_ups(seconds: float | None = None) -> bool:
    """Wait until this process has sent its wake-ups, OUTBOX_FLUSH_SECONDS at most.

    Return whether it has. Runs by itself when the interpreter exits.
    """
    if not _waker.has_started:
        return True
    return _waker.flush(conf().FLUSH_SECONDS if seconds is None else seconds)
