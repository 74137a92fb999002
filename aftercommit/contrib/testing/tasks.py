"""Tasks as a test names them, and the arguments that a call of one has."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from celery.app.task import Task
from kombu.utils import json as celery_json

from aftercommit.outbox.arguments import encode_arguments
from aftercommit.outbox.task_options import unwrap_task


def check_task(task: Any) -> Any:
    """Return the Celery task for a task of Celery's or of Django's.

    Raises TypeError for anything else, which no call could be of.
    """
    found = unwrap_task(task)
    if isinstance(found, Task):
        return found
    if hasattr(task, "get_backend"):
        return _check_django_task(task)
    hint = "Is its @shared_task missing?" if callable(task) else "Expected the task itself."
    raise TypeError(f"{task!r} is not a Celery task. {hint}")


def _check_django_task(task: Any) -> Any:
    from aftercommit.contrib.tasks.backend import OutboxBackend  # needs Django's tasks
    from aftercommit.contrib.tasks.celery_task import celery_task_of

    backend = task.get_backend()
    if isinstance(backend, OutboxBackend):
        return celery_task_of(task, backend.outbox_options)
    raise TypeError(
        f"{task.module_path} is a task of {type(backend).__name__}, whose calls are not in the "
        f"outbox. Name {OutboxBackend.__module__}.OutboxBackend in TASKS[{task.backend!r}]."
    )


def bind_arguments(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the arguments by the names of the function's parameters, so that f(1) equals f(x=1).

    Raises TypeError for arguments that the function doesn't take.
    """
    if getattr(task, "batch", False) or not task.typing:
        return list(args), dict(kwargs)
    try:
        bound = inspect.signature(task.run).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{task.name}: no call can have these arguments: {error}") from None
    bound.apply_defaults()
    return bound.arguments


def as_stored(value: Any) -> Any:
    """Return the value as a function gets it after it was stored, such as a list for a tuple.

    What can't be stored, such as ``mock.ANY``, stays as it is, so that it can be compared.
    """
    try:
        return celery_json.loads(encode_arguments("", [value], {}))[0][0]
    except TypeError:
        if isinstance(value, list | tuple):
            return [as_stored(each) for each in value]
        if isinstance(value, dict):
            return {name: as_stored(each) for name, each in value.items()}
        return value
