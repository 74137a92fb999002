"""Send Celery's task events about calls, which Flower shows.

A worker that sends task events (``-E``, ``worker_send_task_events``) sends them about calls too:
about the calls that fail, or about all, as ``OUTBOX_EVENTS`` says. A thread sends them after the
commit. Arguments and errors go through the broker with the events, and are not kept there.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from celery.signals import worker_init
from celery.utils.saferepr import saferepr
from django.db import transaction

from aftercommit.amqp.limit import limited_producer
from aftercommit.call import Call
from aftercommit.conf import conf
from aftercommit.outbox import wake
from aftercommit.worker.error_text import format_error, summarize_error
from aftercommit.worker.runner import Runner

Event = tuple[str, dict[str, Any]]
"""The type of a Celery event, and its fields."""

_enabled = False
"""True in a worker that sends events, and in the processes of its pool."""


@worker_init.connect
def worker_init_enable_events(sender: Any, **kwargs: Any) -> None:
    """Send events if the worker does. The pool's processes inherit the answer."""
    global _enabled
    _enabled = bool(getattr(sender, "task_events", False))


def send_failure(runner: Runner, call: Call, error: BaseException, retried: bool) -> None:
    """Send the events of a call that failed, or that is to be retried."""
    if _enabled and runner.task.send_events and conf().EVENTS != "none":
        with transaction.atomic(using=call.using):  # The error's text can be made by a query.
            about = {"exception": summarize_error(error), "traceback": format_error(error)}
        end = ("task-retried" if retried else "task-failed", {"uuid": call.id, **about})
        _send_on_commit(runner, call.using, [*_begin(call), end])


def send_success(runner: Runner, calls: Sequence[Call]) -> None:
    """Send the events of calls that succeeded, if ``OUTBOX_EVENTS`` is "all"."""
    if _enabled and calls and runner.task.send_events and conf().EVENTS == "all":
        events = [
            event
            for call in calls
            for event in (*_begin(call), ("task-succeeded", {"uuid": call.id, "result": ""}))
        ]
        _send_on_commit(runner, calls[0].using, events)


def _begin(call: Call) -> Iterable[Event]:
    about = {
        "name": call.task,
        "args": saferepr(getattr(call, "args", ())),
        "kwargs": saferepr(getattr(call, "kwargs", {})),
        "retries": call.attempts,
        "root_id": call.id,
    }
    return ("task-received", {"uuid": call.id, **about}), ("task-started", {"uuid": call.id})


def _send_on_commit(runner: Runner, using: str, events: Sequence[Event]) -> None:
    send = partial(_send, runner.task.app, runner.hostname, events, time.time())
    transaction.on_commit(partial(wake.send_soon, send), using=using)


def _send(app: Any, hostname: str, events: Sequence[Event], when: float) -> None:
    with limited_producer(app) as producer:
        where = producer.connection, hostname, True, producer.channel, False
        with app.events.Dispatcher(*where) as dispatcher:
            for kind, fields in events:
                dispatcher.send(kind, timestamp=when, **fields)
