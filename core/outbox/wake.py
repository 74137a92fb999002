"""Wake-ups: a message to each task that has rows, sent off the request by a thread.

A wake-up carries no data. One that is lost costs time, the sweep's interval, and a duplicate does
nothing, so nothing here is ever worth failing or delaying a request for.
"""

import atexit
import logging
import os
import secrets
import threading
from collections.abc import Iterable
from typing import Any

from celery import current_app
from django.core.cache import cache

from core.outbox.call import Call
from core.outbox.conf import conf

logger = logging.getLogger(__name__)

HEADER = "outbox_using"
"""The message header that makes a task drain; its value is the database's alias."""

TOKEN = "outbox_token"
"""The message header that says which wake-up of its task it is: the value of the task's flag."""

# One quick try on a new connection: the pooled one may be to a server that has restarted.
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

PAUSE = 0.02
"""Seconds between two rounds of wake-ups. What commits in between shares a round: each costs the
process as much as a request, in which the interpreter's lock is held."""

REST = 1.0
"""The same while the broker is down."""

Target = tuple[str, str]
"""A database's alias and a task's name."""


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
            self._send(targets)
            with self._changed:
                self._sending = False
                self._changed.notify_all()
            self._hurry.wait(PAUSE if self._reachable else REST)

    def _send(self, targets: Iterable[Target]) -> None:
        """Send the wake-ups up to one that fails: the others would fail too."""
        try:
            for using, task in targets:
                send_wake_up(using, task)
        except Exception as error:  # noqa: BLE001  # see the module's text
            # Once an outage, not once a request.
            level = logging.WARNING if self._reachable else logging.DEBUG
            logger.log(level, "Wake-ups not sent, the sweep will find the rows: %s", error)
            self._reachable = False
        else:
            self._reachable = True


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


def send_wake_up(using: str, task: str) -> bool:
    """Send the task a wake-up, unless one is under way; whether it was sent.

    Raises what the broker's client raises.
    """
    token = secrets.randbits(63)
    if not _set_flag(using, task, token):
        return False
    known: Any = current_app.tasks.get(task)
    options = known._get_exec_options() if known else {}
    headers = {HEADER: using, TOKEN: token}
    try:
        current_app.send_task(
            task,
            task_type=known,
            **{**options, "headers": headers, "retry": True, "retry_policy": RETRY_POLICY},
        )
    except Exception:
        clear_flag(using, task)
        raise
    return True


def is_overtaken(using: str, task: str, token: int | None) -> bool:
    """Whether a later wake-up is under way, which will find all that this one was for.

    While a task is drained for as long as it may, its flag expires and the sweep sends more; each
    would take its turn from another task.
    """
    try:
        return token is not None and cache.get(_flag(using, task), token) != token
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("No wake-up flag for %s: %s", task, error)
        return False


def clear_flag(using: str, task: str) -> None:
    """Allow the next wake-up of the task: a drain starts, or none was sent."""
    try:
        cache.delete(_flag(using, task))
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("Wake-up flag of %s not cleared, it expires: %s", task, error)


def _set_flag(using: str, task: str, token: int) -> bool:
    try:
        return bool(cache.add(_flag(using, task), token, conf().WAKE_TTL))
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("No wake-up flag for %s: %s", task, error)
        return True  # a duplicate does no harm


def _flag(using: str, task: str) -> str:
    return f"outbox:wake:{using}:{task}"
