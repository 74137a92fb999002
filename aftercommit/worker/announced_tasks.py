"""Look up which tasks the live workers have, as their heartbeats announce them.

In a rolling deploy, and where two services share a database, this process's code is not the only
one. A call that this code can't run waits for a worker that can.
"""

import inspect
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from celery import current_app
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.models import OutboxWorker
from aftercommit.outbox.task import find_task
from aftercommit.outbox.task_options import Options
from aftercommit.worker.error_text import make_storable
from aftercommit.worker.heartbeat import Tasks, stale_seconds


def list_own_tasks() -> Tasks:
    """Return the tasks that this process's code has, as a worker announces them."""
    return _describe_tasks(tuple(sorted(current_app.tasks)))


# Each heartbeat asks, every two seconds; a new task is rare.
@lru_cache(maxsize=1)
def _describe_tasks(names: tuple[str, ...]) -> Tasks:
    tasks = {name: find_task(name) for name in names if not name.startswith("celery.")}
    return {name: describe_signature(task) for name, task in tasks.items() if task}


def describe_signature(task: Any) -> str | None:
    """Return the arguments that the task's function takes, as text; None if nothing is checked.

    Return None, too, if Python can't look into a callable that is written in C, or if a default
    value can't be shown.
    """
    if not task.typing or Options.of(task).batch:
        return None
    try:
        signature = inspect.signature(task.run)
        bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        return make_storable(
            str(signature.replace(parameters=bare, return_annotation=signature.empty))
        )
    except Exception:  # noqa: BLE001  # A default value's repr is a stranger's code.
        return None


def is_announced(using: str, name: str) -> bool:
    """Return whether a worker announced the task within OUTBOX_UNKNOWN_TASK_GRACE seconds.

    A worker that was stopped is about to be started again, so that its tasks count that long. A
    worker of a version that announces nothing may have any task.
    """
    grace = timedelta(seconds=conf().UNKNOWN_TASK_GRACE)
    return _has_task(OutboxWorker.objects.using(using).filter(seen_at__gt=Now() - grace), name)


def is_announced_by_live_worker(using: str, name: str) -> bool:
    """Return whether a worker that lives now has announced the task."""
    return _has_task(_live_workers(using), name)


def _live_workers(using: str) -> QuerySet[OutboxWorker]:
    live = timedelta(seconds=stale_seconds())
    return OutboxWorker.objects.using(using).filter(ended_at=None, seen_at__gt=Now() - live)


def _has_task(workers: QuerySet[OutboxWorker], name: str) -> bool:
    announced = workers.values_list("tasks", flat=True)
    return any(tasks is None or name in tasks for tasks in announced)


def announced_signatures(using: str, name: str) -> list[str]:
    """Return the arguments that the task takes, a text for each version that a worker has."""
    announced = _live_workers(using).values_list("tasks", flat=True)
    return sorted(set(_signatures(name, announced)))


def _signatures(name: str, announced: Iterable[Tasks | None]) -> Iterable[str]:
    for tasks in announced:
        if tasks is not None and name in tasks:
            yield tasks[name] or "(any)"
