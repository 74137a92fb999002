"""The name under which a task's calls are in the outbox, in Flower, in logs and in health.

It is the path of the task's function. A task from ``task.using(queue_name=…, backend=…)`` has these
behind its path, because calls of one name have one queue and one set of options.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.utils.module_loading import import_string

from aftercommit.contrib.tasks.api import AnyTask, InvalidTask, Task

LONGEST = 255
"""The number of characters that a name can have in the outbox."""

PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
CHANGES = ("queue_name", "backend")


declared: dict[str, AnyTask] = {}
"""The tasks that this process has declared, by their paths."""


def name_task(task: AnyTask) -> str:
    """Return the name of the task's calls. Raise InvalidTask if a worker could not find it."""
    declared = import_task(task.module_path)
    changes = {
        each: getattr(task, each)
        for each in CHANGES
        if getattr(task, each) != getattr(declared, each)
    }
    name = f"{task.module_path}?{urlencode(changes)}" if changes else task.module_path
    if len(name) > LONGEST:
        raise InvalidTask(f"{name}: a task's name can have {LONGEST} characters, not {len(name)}.")
    return name


def find_declared(name: str) -> AnyTask:
    """Return the task of this name, and import its module if need be.

    Raises InvalidTask if the name is not that of a task, and what the module raises.
    """
    path, _, changes = name.partition("?")
    values: dict[str, Any] = dict(parse_qsl(changes))
    if not PATH.fullmatch(path) or not values.keys() <= {*CHANGES}:
        raise InvalidTask(f"{name!r} is not the name of a task.")
    return import_task(path).using(**values)


def import_task(path: str) -> AnyTask:
    """Return the task at this path. Raise InvalidTask if something else is there, or nothing."""
    try:
        task = import_string(path)
    except ImportError as error:
        raise InvalidTask(f"{path}: no task is there to be imported: {error}") from error
    if not isinstance(task, Task):
        raise InvalidTask(
            f"{path} is {type(task).__name__}, not a Task: a worker imports a task by this path. "
            "Decorate the function with @task, and leave its name to the task."
        )
    return task
