"""Hold calls to their task's rate limit. Celery holds back messages, and one message drains many.

As in Celery, a limit is for each worker: its processes share the rates and the time of each task's
next call, in memory that they inherit. Outside a worker there is no limit.
"""

import logging
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple

from celery import current_app
from celery.signals import worker_init
from celery.utils.time import rate

from aftercommit.outbox.task import list_tasks

logger = logging.getLogger(__name__)

MAX_WAIT = 1.0
"""Seconds that a drain waits at most for its slot. If that is further away, the drain ends, so that
other tasks are drained."""

LOCK_SECONDS = 1.0
"""Seconds after which a process that holds the lock must have been killed. It is held for a few
microseconds."""


class Slot(NamedTuple):
    """When a call may begin, and when the call after it may, by this machine's clock."""

    begin: float
    end: float


class SharedRate:
    """A task's rate limit and the time of its next call, shared by a worker's processes."""

    def __init__(self, context: Any, lock: Any) -> None:
        self._lock = lock
        self._per_second = context.RawValue("d", 0.0)
        self._next = context.RawValue("d", 0.0)

    @property
    def per_second(self) -> float:
        """Return how many calls may begin in a second; 0 for any number."""
        return self._per_second.value  # type: ignore[no-any-return]  # ctypes has no types

    def limit_to(self, per_second: float) -> None:
        """Set how many calls may begin in a second, for all processes."""
        if per_second != self.per_second:
            with self._locked():
                self._per_second.value = per_second
                self._next.value = 0.0  # The old rate's next slot may be an hour away.

    def take_slot(self) -> Slot | None:
        """Take the next slot. Return None if it is too far away."""
        with self._locked():
            now, per_second = time.monotonic(), self.per_second
            begin: float = max(now, self._next.value)
            if begin - now > MAX_WAIT:
                return None
            end = begin + 1 / per_second if per_second else begin
            self._next.value = end
        return Slot(begin, end)

    def return_slot(self, slot: Slot) -> None:
        """Give a slot back that no call used, unless another slot was taken since."""
        with self._locked():
            if self._next.value == slot.end:
                self._next.value = slot.begin

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # If the lock's owner was killed, go on without it, and release it for the others.
        self._lock.acquire(timeout=LOCK_SECONDS)
        try:
            yield
        finally:
            with suppress(ValueError):  # The owner was only slow, and has released it.
                self._lock.release()


_shared: dict[str, SharedRate] = {}
"""The rate of each task, in a worker that has rate limits."""


@worker_init.connect
def worker_init_share_rates(sender: Any = None, **kwargs: Any) -> None:
    """Share the rates of all tasks before the pool's processes are forked."""
    if getattr(sender, "disable_rate_limits", False):
        return
    context = multiprocessing.get_context("fork")
    lock = context.Lock()
    _shared.update({name: SharedRate(context, lock) for name in list_tasks()})
    follow_rate_limits()


def follow_rate_limits(using: str = "") -> None:
    """Share the rates that the worker's tasks have now.

    Celery's remote control sets them in the worker's main process alone. A sweep calls this for
    each database, so that the pool's processes follow within OUTBOX_SWEEP_INTERVAL seconds.
    """
    for name, shared in _shared.items():
        if task := current_app.tasks.get(name):
            shared.limit_to(calls_per_second(task))


def calls_per_second(task: Any) -> float:
    """Return how many calls of the task a worker runs in a second at most; 0 for any number."""
    limit: float = rate(task.rate_limit)
    return limit


@cache
def _warn_of_late_task(name: str, limit: Any) -> None:
    """Warn of a task that has come too late to share its rate, once in each process."""
    logger.warning(
        "%s: its rate limit %s does not hold. The worker has met the task after its start, when "
        "its processes could no longer share the rate. Name the task's module in CELERY_IMPORTS.",
        name, limit,
    )  # fmt: skip


class RateLimit:
    """The rate limit of one task, for one drain."""

    def __init__(self, task: Any) -> None:
        self._shared = _shared.get(task.name)
        if _shared and self._shared is None and task.rate_limit:
            _warn_of_late_task(task.name, task.rate_limit)
        self._slot: Slot | None = None

    @property
    def is_limited(self) -> bool:
        """Return whether the task's calls begin one by one, by the clock."""
        return self._shared is not None and self._shared.per_second > 0

    def wait_for_slot(self) -> bool:
        """Wait until the next call may begin. Return False, at once, if that is too far away."""
        self._slot = None
        if self._shared is None or not self._shared.per_second:
            return True
        self._slot = self._shared.take_slot()
        if self._slot is None:
            return False
        time.sleep(max(self._slot.begin - time.monotonic(), 0))
        return True

    def return_slot(self) -> None:
        """Give the slot back, because no call was due."""
        if self._shared is not None and self._slot is not None:
            self._shared.return_slot(self._slot)
