"""Wake-ups: a message to each task that has rows, sent off the request by a thread.

A wake-up carries no data. One that is lost costs time, the sweep's interval, and a duplicate does
nothing, so nothing here is ever worth failing or delaying a request for.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from celery import current_app
from celery.utils import uuid
from django.core.cache import cache

from core.outbox.call import Call
from core.outbox.conf import conf

logger = logging.getLogger(__name__)

DRAIN = "aftercommit.drain"
"""The task that wake-ups call, with a task's name and a database's alias."""

HEADER = "outbox_using"
"""The message header that makes a task drain; its value is the database's alias."""

TURN = "outbox_turn"
"""The header that says which drain of the task was the last to start, before it was sent."""

SENT = "outbox_sent"
"""The header that says when it was sent, by its host's clock."""

FRESH = 1
"""Seconds for which a wake-up is taken not to be overtaken, which saves a round trip where that
matters. Hosts whose clocks differ cost a round trip or an empty drain."""

# One quick try on a new connection: the pooled one may be to a server that has restarted.
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

DESTINATION = ("queue", "routing_key", "exchange", "priority", "delivery_mode")
"""The options of a task that say where its messages go."""

PAUSE = 0.01
"""Seconds between two rounds of wake-ups. What commits in between shares a round: each costs the
process as much as a request, in which the interpreter's lock is held."""

REST = 1.0
"""The same while the broker is down."""

Target = tuple[str, str]
"""A database's alias and a task's name."""


class Turn(NamedTuple):
    """Which drain of a task was the last to start, and which one was when a wake-up was last sent.

    0 and None if not known.
    """

    begun: int
    woken: int | None
    is_old: bool = False
    """Whether drains may have started since this was looked up."""


class Waker:
    """A thread that sends the wake-ups it was asked for; it starts with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wanted = threading.Event()
        self._hurry = threading.Event()
        self._targets: dict[Target, None] = {}
        self._sending = False
        self._thread: threading.Thread | None = None
        self._reachable = True
        self._seen: dict[Target, Turn] = {}

    def wake(self, targets: Iterable[Target]) -> None:
        """Have each task of ``targets`` woken soon; returns at once and never raises."""
        with self._changed:
            self._targets.update(dict.fromkeys(targets))
            if self._thread is None:
                self._start()
        if not self._wanted.is_set():
            self._wanted.set()

    def flush(self, seconds: float) -> bool:
        """Wait until all is sent, ``seconds`` at most; whether it is."""
        self._hurry.set()
        try:
            with self._changed:
                return self._changed.wait_for(lambda: not (self._targets or self._sending), seconds)
        finally:
            self._hurry.clear()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="outbox-wake", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down; the sweep finds the rows
            return
        self._thread = thread

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            with self._changed:
                targets, self._targets, self._sending = self._targets, {}, True
            sent = self._send(targets)
            with self._changed:
                self._sending = False
                self._changed.notify_all()
            self._hurry.wait(PAUSE if self._reachable else REST)
            if self._reachable:
                self._look_ahead(sent)

    def _send(self, targets: Collection[Target]) -> list[Target]:
        """Send the wake-ups up to one that fails: the others would fail too. Which were sent."""
        sent: list[Target] = []
        known = {each: self._seen.pop(each) for each in targets if each in self._seen}
        known.update(turns([each for each in targets if each not in known]))
        try:
            for target in targets:
                if send_wake_up(*target, known[target]):
                    sent.append(target)
        except Exception as error:  # noqa: BLE001  # see the module's text
            # Once an outage, not once a request.
            level = logging.WARNING if self._reachable else logging.DEBUG
            logger.log(level, "Wake-ups not sent, the sweep will find the rows: %s", error)
            self._reachable = False
        else:
            self._reachable = True
        return sent

    def _look_ahead(self, targets: Collection[Target]) -> None:
        """Look up now what allows the next wake-ups, which then go out a round trip sooner.

        What forbids them would be no use: it may have changed by then.
        """
        for target, turn in turns(targets).items():
            if turn.woken != turn.begun:
                self._seen[target] = turn._replace(is_old=True)


_waker = Waker()


def _renew_waker() -> None:
    global _waker
    _waker = Waker()


os.register_at_fork(after_in_child=_renew_waker)


@atexit.register
def flush_wake_ups(seconds: float | None = None) -> bool:
    """Wait until this process has sent its wake-ups, OUTBOX_FLUSH_SECONDS at most; whether it has.

    Runs by itself when the interpreter exits.
    """
    waker = _waker
    return not waker._thread or waker.flush(conf().FLUSH_SECONDS if seconds is None else seconds)


def wake_tasks(calls: Iterable[Call]) -> None:
    """Have the tasks of the calls that are due woken, off this thread."""
    if targets := {(call.using, call.task): None for call in calls if call.is_due}:
        _waker.wake(targets)


def wake_task(using: str, task: str) -> None:
    """Have one task woken, off this thread."""
    _waker.wake([(using, task)])


def send_wake_up(using: str, task: str, known: Turn | None = None) -> bool:
    """Send the task a wake-up, unless one is under way; whether it was sent.

    ``known`` is what ``turns`` said of it. Raises what the broker's client raises.
    """
    turn = known or turns([(using, task)])[using, task]
    if turn.woken == turn.begun:
        return False
    # By an old turn it would be overtaken by a drain that had started before it was sent.
    headers = {HEADER: using, TURN: 0 if turn.is_old else turn.begun, SENT: time.time()}
    publish(task, headers)
    _set(using, task, "flag", turn.begun, conf().WAKE_TTL)
    return True


def publish(name: str, headers: Mapping[str, Any]) -> None:
    """Send the task a message without arguments, to its queue.

    What ``send_task`` does for those who want a result, in three quarters of the time. How long a
    drain may take is for the worker that runs it to say, not for whoever wakes it.
    """
    app: Any = current_app
    task = app.tasks.get(name)
    own = {key: getattr(task, key, None) for key in DESTINATION}
    known = {key: value for key, value in own.items() if value is not None}
    options = app.amqp.router.route(known, name, task_type=task)
    message = app.amqp.create_task_message(uuid(), DRAIN, [name, headers[HEADER]])
    with app.producer_or_acquire() as producer:
        app.amqp.send_task_message(
            producer,
            DRAIN,
            message,
            **{**options, "headers": headers, "retry": True, "retry_policy": RETRY_POLICY},
        )


def send_soon(function: Any) -> None:
    """Stand in."""
    function()


def is_overtaken(using: str, task: str, headers: Mapping[str, Any]) -> bool:
    """Whether a drain has started since the wake-up with these headers was sent.

    That drain has seen what the wake-up was for. While a task is drained for as long as it may,
    others are sent for it, and each would take its turn from another task. One that was sent just
    now is not asked about.
    """
    if not headers.get(TURN) or 0 <= time.time() - headers.get(SENT, 0) < FRESH:
        return False
    begun = turns([(using, task)])[using, task].begun
    return bool(begun) and begun != headers[TURN]


def begin_turn(using: str, task: str) -> None:
    """Have the wake-ups sent so far be overtaken by the drain that starts now, and allow the next.

    To be called before the drain looks what is due.
    """
    _set(using, task, "turn", time.time_ns(), None)


def turns(targets: Iterable[Target]) -> dict[Target, Turn]:
    """Each task's turn. Asks the cache once, or not at all for no tasks."""
    keys = {each: (_key(*each, "turn"), _key(*each, "flag")) for each in targets}
    try:
        found = cache.get_many(chain.from_iterable(keys.values())) if keys else {}
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("Not known which tasks have been woken: %s", error)
        found = {}
    return {each: Turn(found.get(turn, 0), found.get(flag)) for each, (turn, flag) in keys.items()}


def _set(using: str, task: str, what: str, turn: int, seconds: float | None) -> None:
    try:
        cache.set(_key(using, task, what), turn, seconds)
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("The %s of %s not set: %s", what, task, error)


def _key(using: str, task: str, what: str) -> str:
    return f"outbox:{what}:{using}:{task}"
