"""Hold calls to their time limits. Celery's own hold for a message, which drains many calls.

They are held in the processes of a prefork pool, as Celery's are: a timer of the process interrupts
the call by a signal. The timer is set for the first call, and not again for the calls after it:
setting it for each call would cost as much as a short call.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from billiard.process import current_process
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_init, worker_process_init

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """The seconds until a call gets SoftTimeLimitExceeded, and until its process is killed."""

    soft: float | None
    hard: float | None

    @classmethod
    def of(cls, task: Any) -> "Limits":
        """Return the limits of a task's calls: its own, or the worker's for all tasks."""
        soft = task.soft_time_limit or _defaults.soft or current_app.conf.task_soft_time_limit
        return cls(soft, get_hard_limit(task))


def get_hard_limit(task: Any) -> float | None:
    """Return the seconds after which the process of a task's call is killed. None for never."""
    limit: float | None = task.time_limit or _defaults.hard or current_app.conf.task_time_limit
    return limit


_defaults = Limits(None, None)
"""The limits for all tasks, which the worker's command line names."""


@dataclass
class RunningCall:
    """The call that this process runs now, and the times that interrupt the call."""

    name: str = ""
    limits: Limits = Limits(None, None)
    soft_at: float = inf
    hard_at: float = inf
    enabled: bool = False
    set_for: float = inf
    """When the process's timer goes off."""


_running = RunningCall()


def hold_limits() -> None:
    """Hold limits from here on, whatever an earlier call did with the process's timer and signal.

    Libraries that limit time by ``signal.alarm()`` leave the timer off, and some their handler.
    """
    if _running.enabled:
        signal.signal(signal.SIGALRM, _on_alarm)
        _running.set_for = inf


@contextmanager
def limit_time(limits: Limits, name: str) -> Iterator[None]:
    """Raise SoftTimeLimitExceeded in a block that takes too long, or kill the process.

    ``name`` is for the log. Does nothing outside the processes of a prefork pool.
    """
    running = _running
    if not running.enabled:
        yield
        return
    begin = time.monotonic()
    running.name, running.limits = name, limits
    running.soft_at = begin + limits.soft if limits.soft else inf
    running.hard_at = begin + limits.hard if limits.hard else inf
    _set_timer()
    try:
        yield
    finally:
        running.soft_at = running.hard_at = inf


def _set_timer() -> None:
    """Have the timer go off in time for the call that runs. Going off too early does no harm."""
    due = min(_running.soft_at, _running.hard_at)
    if due < _running.set_for:
        _running.set_for = due
        signal.setitimer(signal.ITIMER_REAL, max(due - time.monotonic(), 0.001))


def _on_alarm(*_: Any) -> None:
    running, now = _running, time.monotonic()
    running.set_for = inf
    if now >= running.hard_at:
        _kill()
    is_late = now >= running.soft_at
    if is_late:
        running.soft_at = inf
    _set_timer()
    if is_late:
        raise SoftTimeLimitExceeded(running.limits.soft)


def _kill() -> None:
    """End this process as Celery ends one: its call has crashed."""
    with suppress(Exception):  # The signal can have come amid a line of the log.
        logger.error(
            "%s: not over after its time limit of %gs; its process is killed",
            _running.name,
            _running.limits.hard,
        )
    os.kill(os.getpid(), signal.SIGKILL)


@worker_init.connect
def worker_init_take_limits(sender: Any, **kwargs: Any) -> None:
    """Take the limits that the worker was started with. The pool's processes inherit them."""
    global _defaults
    pool = getattr(sender, "pool_cls", None)
    if "prefork" not in str(getattr(pool, "__module__", pool)):
        logger.warning(
            "No time limit is held for calls in this worker: its pool, %s, has no processes that "
            "could be killed. A call that never returns holds its thread for ever; use -P prefork.",
            getattr(pool, "__module__", pool),
        )
    _defaults = Limits(
        getattr(sender, "soft_time_limit", None), getattr(sender, "time_limit", None)
    )


@worker_process_init.connect
def worker_process_init_hold_limits(**kwargs: Any) -> None:
    """Hold the limits in a process that a pool has forked. The pool replaces one that is killed."""
    # A pool without processes of its own sends the same signal in the worker's process.
    if getattr(current_process(), "index", None) is not None:
        signal.signal(signal.SIGALRM, _on_alarm)
        _running.enabled = True
