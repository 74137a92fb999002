"""Rate limits of calls. Celery's hold back messages, and one message drains many calls.

As Celery's, a limit is for each worker: its processes share the time of the next call, in memory
that they inherit. Outside a worker there is none.
"""

import multiprocessing
import time
from typing import Any

from celery import current_app
from celery.signals import worker_init
from celery.utils.time import rate

MAX_WAIT = 1.0
"""Seconds that a drain waits for its turn. It makes room for other tasks where it is longer."""

_next: dict[str, Any] = {}
"""For each task with a rate limit, the time of its next call, shared by a worker's processes."""


@worker_init.connect
def worker_init_share_rates(**kwargs: Any) -> None:
    """Make the shared times before the pool's processes are forked."""
    context = multiprocessing.get_context("fork")
    for name, task in current_app.tasks.items():
        if calls_per_second(task):
            _next[name] = context.Value("d", 0.0)


def wait_for_rate(task: Any) -> bool:
    """Wait until the task's next call may begin; return whether it may, soon enough."""
    shared, limit = _next.get(task.name), calls_per_second(task)
    if shared is None or not limit:
        return True
    with shared.get_lock():
        now = time.monotonic()
        begin = max(now, shared.value)
        if begin - now > MAX_WAIT:
            return False
        shared.value = begin + 1 / limit
    time.sleep(begin - now)
    return True


def calls_per_second(task: Any) -> float:
    """Return how many calls of the task a worker runs in a second at most; 0 for any number."""
    limit: float = rate(task.rate_limit)
    return limit


def has_rate_limit(task: Any) -> bool:
    """Return whether the task's calls go one by one, by the clock."""
    return task.name in _next
