"""System checks of the app and its tasks: name what is not durable, and what would be ignored."""

from collections.abc import Iterator
from typing import Any

from celery import Task, _state, current_app
from celery.contrib.django.task import DjangoTask
from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.utils.module_loading import autodiscover_modules

from aftercommit.conf import TAG
from aftercommit.outbox.call_options import check_expires
from aftercommit.outbox.task import OutboxTask
from aftercommit.outbox.task_function import check_runnable
from aftercommit.outbox.task_options import check_own_options

SHOWN = 10
"""The number of tasks that a message names."""

LIBRARY = ("celery.", "aftercommit.")
"""The beginnings of the names of tasks that nobody calls durably."""

OF_MESSAGES = ("apply_async", "Strategy", "Request")
"""What a task's class can have of its own that is about messages. A durable call is none."""

FALLBACK = "default"
"""The name of the app that Celery makes where the project has made none."""


@register(TAG)
def check_app(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if this process has no Celery app of the project."""
    if current_app.main != FALLBACK:
        return []
    return [
        Warning(
            "This process has not made the project's Celery app. Its wake-ups go to a broker on "
            "this machine, if there is one.",
            hint="Import the app where Django starts: 'from .celery import app as celery_app' in "
            "the __init__.py beside your settings.",
            id="aftercommit.W018",
        )
    ]


@register(TAG)
def check_app_of_threads(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if threads use another Celery app than the one that was made last.

    For Celery an app is current in the thread that made it. Other threads use the first app.
    """
    state: Any = _state  # not in Celery's stubs
    first, own = state.default_app, state.get_current_app()
    if first is None or first is own:
        return []
    return [
        Warning(
            f"Threads use the Celery app {first.main!r}, which was made before {own.main!r}: those "
            "of requests, and the one that sends wake-ups. Its tasks can be of another class, and "
            "its broker another.",
            hint="Call app.set_default() where you make the app.",
            id="aftercommit.W019",
        )
    ]


@register(TAG)
def check_tasks(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for the tasks whose calls are not durable, or whose options don't hold."""
    return [
        *_not_durable(),
        *_about_messages(),
        *_not_runnable(),
        *_not_json(),
        *_not_expiring(),
    ]


def own_tasks() -> list[Any]:
    """Return the registered tasks, Celery's and the library's own left out."""
    autodiscover_modules("tasks")
    tasks = sorted(current_app.tasks.items())
    return [task for name, task in tasks if not name.startswith(LIBRARY)]


def _not_durable() -> Iterator[CheckMessage]:
    tasks = own_tasks()
    others = [task for task in tasks if not isinstance(task, OutboxTask)]
    if lossy := [task.name for task in others if isinstance(task, DjangoTask)]:
        # A project that makes some tasks durable, one at a time, knows of the others.
        chosen = len(others) < len(tasks) and not issubclass(_default_class(), OutboxTask)
        level = Info if chosen else Warning
        yield level(
            f"delay_on_commit of these tasks is Celery's, which isn't durable: {_names(lossy)}.",
            hint="Make the app with Celery(…, task_cls='aftercommit.OutboxTask'), or give the task "
            "base=OutboxTask with 'from aftercommit import OutboxTask', or call it by "
            "aftercommit.call_on_commit(task, …).",
            id="aftercommit.I010" if chosen else "aftercommit.W010",
        )
    if plain := [task.name for task in others if not isinstance(task, DjangoTask)]:
        yield Info(
            f"These tasks have no delay_on_commit: {_names(plain)}.",
            hint="Call them durably by aftercommit.call_on_commit(task, …).",
            id="aftercommit.I011",
        )


def _about_messages() -> Iterator[CheckMessage]:
    found = {task: names for task in own_tasks() if (names := _own_parts(task))}
    durable = [task for task in found if isinstance(task, OutboxTask)]
    for level, tasks, id in (
        (Warning, durable, "aftercommit.W021"),
        (Info, [task for task in found if task not in durable], "aftercommit.I021"),
    ):
        if tasks:
            named = [f"{task.name} ({', '.join(found[task])})" for task in tasks]
            yield level(
                f"A durable call doesn't go through what the classes of these tasks have of their "
                f"own for messages: {_names(named)}.",
                hint="What it adds to each message belongs into a carrier of OUTBOX_CONTEXT. A "
                "lock or a batch that it makes doesn't hold for durable calls.",
                id=id,
            )


def _own_parts(task: Any) -> list[str]:
    return [name for name in OF_MESSAGES if getattr(type(task), name) is not getattr(Task, name)]


def _default_class() -> type:
    """Return the class of the tasks that name no base."""
    default: type = current_app.Task
    return default


def _not_runnable() -> Iterator[CheckMessage]:
    for task in own_tasks():
        try:
            check_runnable(task)
            check_own_options(task)
        except TypeError as error:
            yield Warning(
                f"{error}",
                hint="Until then delay_on_commit raises TypeError for it.",
                obj=task.name,
                id="aftercommit.W012",
            )


def _not_json() -> Iterator[CheckMessage]:
    for task in own_tasks():
        if isinstance(task, OutboxTask) and task.serializer not in (None, "json"):
            yield Warning(
                f"{task.name} has serializer={task.serializer!r}; durable calls are stored in the "
                "JSON of Celery's serializer.",
                hint="Pass it what JSON can carry, and drop the option, or call it by delay().",
                id="aftercommit.W013",
            )


def _not_expiring() -> Iterator[CheckMessage]:
    for task in own_tasks():
        try:
            if task.expires is not None:
                check_expires(task.name, task.expires)
        except TypeError as error:
            yield Error(f"{error}", hint="Give expires a number of seconds.", id="aftercommit.E014")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
