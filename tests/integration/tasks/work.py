"""Tasks in a module that no worker imports when it starts."""

from importlib import import_module
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from aftercommit.contrib.tasks.api import Task, TaskContext

task: Any = import_module(Task.__module__.rpartition(".")[0]).task


@task(takes_context=True)
def make_group(context: TaskContext, name: str) -> list[Any]:
    """Make one row, and return the attempt's number."""
    Group.objects.create(name=name)
    return [context.attempt, transaction.get_connection().in_atomic_block]


@task
async def make_group_async(name: str) -> str:
    """Make one row in a coroutine."""
    await Group.objects.acreate(name=name)
    return name


@task
def fail_once(name: str) -> None:
    """Make one row, and fail."""
    Group.objects.create(name=name)
    raise ValueError(name)
