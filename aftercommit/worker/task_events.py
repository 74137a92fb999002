"""Events about calls, as Celery's workers send them about tasks: what Flower shows.

A worker that sends task events (``-E``, ``worker_send_task_events``) sends those of calls too: of
the ones that fail, or of all, as ``OUTBOX_EVENTS`` says. They are sent after the commit, off the
drain's thread. Arguments and errors go through the broker with them, and are not kept there.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from celery.signals import worker_init
from celery.utils.saferepr import saferepr
from django.db import transaction

from aftercommit.call import Call
from aftercommit.conf import conf
from aftercommit.outbox import wake
from aftercommit.worker.error_text import format_error, summarize_error
from aftercommit.worker.runner import Runner

Event = tuple[str, dict[str, Any]]
"""The type of a Celery event, and its fields."""

_enabled = False
"""Whether the worker that this process belongs to sends events."""


@worker_init.connect
def worker_init_enable_events(sender: Any, **kwargs: Any) -> None:
    """Send events if the worker does; its pool's processes inherit the answer."""
    global _enabled
    _enabled = bool(getattr(sender, "task_events", False))


def send_failure(runner: Runner, call: Call, error: BaseException, retried: bool) -> None:
    """Show the call as one that failed, or as one that is retried."""
    if _enabled and conf().EVENTS != "none":
        about = {
            "exception": summarize_error(error),
            "traceback": format_error(error),
        }
        end = ("task-retried" if retried else "task-failed", {"uuid": call.id, **about})
        _send_on_commit(runner, call.using, [*_begin(call), end])


def send_success(runner: Runner, calls: Sequence[Call]) -> None:
    """Show the calls as ones that succeeded, if successes are shown."""
    if _enabled and calls and conf().EVENTS == "all":
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
    with app.events.default_dispatcher(hostname=hostname) as dispatcher:
        for kind, fields in events:
            dispatcher.send(kind, timestamp=when, **fields)
