"""Tasks of Django's, defined as a project defines them."""

import asyncio
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from django.contrib.auth.models import Group

from aftercommit.context import current
from aftercommit.contrib.tasks.api import Task, TaskContext

task: Any = import_module(Task.__module__.rpartition(".")[0]).task

received: list[Any] = []
"""What the tasks were called with, whether or not their transaction committed."""

acts: list[Callable[[], Any]] = []
"""What the tasks do after their effect, one for each run, and what they return."""


def reset() -> None:
    """Forget what was received and how the tasks should act."""
    received.clear()
    acts.clear()


def fail(error: BaseException | None = None) -> Callable[[], Any]:
    """Return a function that raises the error."""

    def raise_error() -> None:
        raise error or ValueError("no")

    return raise_error


def _act(result: Any) -> Any:
    return acts.pop(0)() if acts else result


def names() -> list[str]:
    """Return the effects that the database holds."""
    return list(Group.objects.order_by("pk").values_list("name", flat=True))


@task
def make_group(name: str) -> Any:
    """Make one row."""
    received.append(name)
    Group.objects.create(name=name)
    return _act(name)


@task
async def make_group_async(name: str) -> Any:
    """Make one row in a coroutine."""
    received.append(name)
    await Group.objects.acreate(name=name)
    return _act(name)


@task
async def wait_long() -> None:
    """Wait in a coroutine, and say when it is cancelled."""
    received.append("begun")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        received.append("cancelled")
        raise


@task(takes_context=True)
def look_at_context(context: TaskContext, *names: str) -> Any:
    """Remember what the context says."""
    received.append((context.attempt, context.task_result, names))
    return _act(context.attempt)


@task
def name_actor() -> str:
    """Return who has enqueued the task."""
    return current().actor


@task
def make_more(name: str) -> str:
    """Enqueue another task."""
    _act(None)
    more: str = make_group.enqueue(name).id
    return more


def plain() -> None:
    """Be no task."""


hidden = task(plain)


def generate() -> Iterator[int]:
    """Be a generator function."""
    yield 1
