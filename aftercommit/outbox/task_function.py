"""The function of a task, held against what a durable call needs of it."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any


class SignatureError(TypeError):
    """The arguments are not those that the task's function takes."""


def check_signature(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise SignatureError if the task's function doesn't take these arguments."""
    if task.typing and not getattr(task, "batch", False):
        try:
            task.__header__(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{task.name}: {error}") from None


def check_runnable(task: Any) -> None:
    """Raise TypeError if calling the task's function would run none of its code."""
    function = inspect.unwrap(getattr(task, "_orig_run", task.run))
    for kind, is_kind in (
        ("a coroutine function", inspect.iscoroutinefunction),
        ("an asynchronous generator function", inspect.isasyncgenfunction),
        ("a generator function", inspect.isgeneratorfunction),
    ):
        if is_kind(function):
            raise TypeError(
                f"{task.name} is {kind}: a worker would call it and run nothing of it. Write a "
                "plain function, which may call asgiref.sync.async_to_sync(…) or list(…)."
            )
