"""Have calls follow the time limits that Celery's remote control sets.

Remote control changes a task in the worker's main process alone. Calls run in the pool's processes,
which read the limits from memory that they inherited.
"""

import multiprocessing
from typing import Any, NamedTuple

from celery import current_app
from celery.signals import worker_init

from aftercommit.outbox.task import list_tasks


class TaskLimits(NamedTuple):
    """A task's own time limits in seconds, soft and hard. 0 stands for none."""

    soft: float
    hard: float

    @classmethod
    def of(cls, task: Any) -> "TaskLimits":
        """Return the limits that the task has in this process."""
        return cls(task.soft_time_limit or 0, task.time_limit or 0)


class SharedLimits:
    """The limits that a task has in the worker's main process, for all its processes."""

    def __init__(self, context: Any, task: Any) -> None:
        self._known = TaskLimits.of(task)
        self._changed = context.RawValue("b", 0)
        self._limits = context.RawArray("d", len(self._known))

    def share(self, task: Any) -> None:
        """Share the task's limits if they have changed. Called in the main process."""
        if (limits := TaskLimits.of(task)) != self._known:
            self._known = limits
            self._limits[:] = limits
            self._changed.value = 1

    def apply(self, task: Any) -> None:
        """Give the task the limits that were shared, if any were."""
        if self._changed.value:
            task.soft_time_limit, task.time_limit = (each or None for each in self._limits)


_shared: dict[str, SharedLimits] = {}
"""The limits of each task, in a worker."""


@worker_init.connect
def worker_init_share_limits(**kwargs: Any) -> None:
    """Make the memory for the limits of all tasks before the pool's processes are forked."""
    context = multiprocessing.get_context("fork")
    _shared.update({name: SharedLimits(context, task) for name, task in list_tasks().items()})


def share_time_limits(using: str = "") -> None:
    """Share the limits that the tasks have now. A sweep calls this for each database."""
    for name, shared in _shared.items():
        if task := current_app.tasks.get(name):
            shared.share(task)


def apply_time_limits() -> None:
    """Give this process's tasks the limits that were shared."""
    for name, shared in _shared.items():
        if task := current_app.tasks.get(name):
            shared.apply(task)
