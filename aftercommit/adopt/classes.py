"""Registered tasks whose class is not durable, and classes that hide a durable method."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import current_app

from aftercommit.adopt.facts import Class
from aftercommit.adopt.finding import Finding, Kind
from aftercommit.adopt.project import Project
from aftercommit.adopt.tasks import Tasks, is_third_party
from aftercommit.outbox.task import OutboxTask

SHOWN = 10
"""The number of tasks that a finding names."""

DURABLE = ("delay_on_commit", "apply_async_on_commit", "adelay_on_commit", "using")
"""The methods of the library's class that a class of the project can hide."""

SENDING = ("apply_async", "delay")
"""Celery's methods, whose additions a durable call doesn't make."""


def class_findings(project: Project, tasks: Tasks) -> Iterator[Finding]:
    """Yield a finding for each class of the project's tasks that isn't durable."""
    own = [task for task in tasks.registered if not is_third_party(task)]
    for base, names in _by_base(own, durable=False).items():
        yield _not_durable(base, names, project)
    for base, names in _by_base(own, durable=True).items():
        yield from _hiding(base, names, project)


def third_party_tasks(tasks: Tasks) -> list[str]:
    """Return the names of other packages' tasks whose class isn't durable."""
    return [
        task.name
        for task in tasks.registered
        if is_third_party(task) and not isinstance(task, OutboxTask)
    ]


def _by_base(tasks: list[Any], *, durable: bool) -> dict[type, list[str]]:
    """Return the names of the tasks by the class that their author named or wrote."""
    found: dict[type, list[str]] = {}
    for task in tasks:
        if isinstance(task, OutboxTask) is durable:
            found.setdefault(_base(task), []).append(task.name)
    return found


def _base(task: Any) -> type:
    """Return the task's class; for a task made of a function, the class that it was made with."""
    own = type(task)
    return own.__mro__[1] if getattr(task, "_decorated", False) else own


def _not_durable(base: type, names: list[str], project: Project) -> Finding:
    tasks = f"{', '.join(names[:SHOWN])}{_more(names)}"
    if base is current_app.Task or base.__module__.startswith("celery."):
        return Finding(
            Kind.TASK_CLASS,
            "Make the app with Celery(…, task_cls='aftercommit.OutboxTask'), or give the task "
            "base=OutboxTask.",
            source=f"Celery's own class is that of {tasks}",
        )
    advice = f"Write class {base.__name__}(OutboxTask, …): it is the class of {tasks}."
    return _at(base, advice, project)


def _hiding(base: type, names: list[str], project: Project) -> Iterator[Finding]:
    tasks = f"{', '.join(names[:SHOWN])}{_more(names)}"
    for name in (*DURABLE, *SENDING):
        owner = next(each for each in base.__mro__ if name in vars(each))
        if owner.__module__.startswith(("aftercommit.", "celery.")):
            continue
        if name in SENDING:
            advice = (
                f"A durable call doesn't go through {owner.__name__}.{name}(). Move what it adds "
                f"into a carrier of OUTBOX_CONTEXT. It is the class of {tasks}."
            )
        elif _calls_super(owner, name, project):
            continue
        else:
            advice = f"Drop {owner.__name__}.{name}(), which hides the durable one of {tasks}."
        yield _at(owner, advice, project, name)


def _calls_super(owner: type, name: str, project: Project) -> bool:
    found = project.find(f"{owner.__module__}.{owner.__qualname__}")
    method = project.method(found, name) if isinstance(found, Class) else None
    uses = method.uses if method else []
    return any(use.name == f"builtins.super().{name}" for use in uses)


def _at(base: type, advice: str, project: Project, method: str = "") -> Finding:
    """Return a finding at the place of the class, or of its method, as far as it can be found."""
    found = project.find(f"{base.__module__}.{base.__qualname__}")
    place = project.method(found, method) if method and isinstance(found, Class) else found
    if place is None:
        file = inspect.getsourcefile(base) if base.__module__ != "__main__" else None
        return Finding(
            Kind.TASK_CLASS, advice, Path(file) if file else None, source=f"class {base.__name__}"
        )
    source, line = place.source, place.line
    return Finding(Kind.TASK_CLASS, advice, source.path, line, source.line(line), end=line)


def _more(names: list[str]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
