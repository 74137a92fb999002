"""Time limits of calls. Celery's hold for a message, and one message drains many calls.

They are held in the processes of a prefork pool, as Celery's are: by a timer of the process, whose
signal interrupts the call. The timer is set for the first call and left alone for those after it:
to set it for each would cost as much as a short call.
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
    """How long a call may run, in seconds: until it is told, and until its process is killed."""

    soft: float | None
    hard: float | None

    @classmethod
    def of(cls, task: Any) -> "Limits":
        """Return the limits of a task's calls: its own, or the worker's for all tasks."""
        soft = task.soft_time_limit or _defaults.soft or current_app.conf.task_soft_time_limit
        return cls(soft, get_hard_limit(task))


def get_hard_limit(task: Any) -> float | None:
    """Return after how many seconds the process of a task's call is killed; None for never."""
    limit: float | None = task.time_limit or _defaults.hard or current_app.conf.task_time_limit
    return limit


_defaults = Limits(None, None)
"""The limits that the worker's command line names."""


@dataclass
class Watch:
    """The call that this process runs now, and the times at which it is interrupted."""

    name: str = ""
    limits: Limits = Limits(None, None)
    soft_at: float = inf
    hard_at: float = inf
    enabled: bool = False
    set_for: float = inf
    """The time at which the process's timer goes off."""


_watch = Watch()


@contextmanager
def limit_time(limits: Limits, name: str) -> Iterator[None]:
    """Raise SoftTimeLimitExceeded in a block that takes too long, or kill the process.

    ``name`` is for the log. Does nothing where no time limit can be held (see the module's text).
    """
    watch = _watch
    if not watch.enabled:
        yield
        return
    begin = time.monotonic()
    watch.name, watch.limits = name, limits
    watch.soft_at = begin + limits.soft if limits.soft else inf
    watch.hard_at = begin + limits.hard if limits.hard else inf
    _set_timer()
    try:
        yield
    finally:
        watch.soft_at = watch.hard_at = inf


def _set_timer() -> None:
    """Have the timer go off in time for the call that runs; earlier does no harm."""
    due = min(_watch.soft_at, _watch.hard_at)
    if due < _watch.set_for:
        _watch.set_for = due
        signal.setitimer(signal.ITIMER_REAL, max(due - time.monotonic(), 0.001))


def _on_alarm(*_: Any) -> None:
    watch, now = _watch, time.monotonic()
    watch.set_for = inf
    if now >= watch.hard_at:
        _kill()
    is_late = now >= watch.soft_at
    if is_late:
        watch.soft_at = inf
    _set_timer()
    if is_late:
        raise SoftTimeLimitExceeded(watch.limits.soft)


def _kill() -> None:
    """End this process as Celery ends one: its call has crashed."""
    with suppress(Exception):  # the signal may have come amid a line of the log
        logger.error(
            "%s: not over after its time limit of %gs; its process is killed",
            _watch.name,
            _watch.limits.hard,
        )
    os.kill(os.getpid(), signal.SIGKILL)


@worker_init.connect
def worker_init_take_limits(sender: Any, **kwargs: Any) -> None:
    """Take the limits that the worker was started with; its pool's processes inherit them."""
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
    """Hold the limits in a process that a pool has forked; a killed one is replaced."""
    # A pool without processes of its own sends the same signal, from the worker's.
    if getattr(current_process(), "index", None) is not None:
        signal.signal(signal.SIGALRM, _on_alarm)
        _watch.enabled = True
