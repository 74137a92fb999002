"""The function of a task, held against what a durable call needs of it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from celery.utils.functional import head_from_fun


class SignatureError(TypeError):
    """The arguments are not those that the task's function takes."""


class MisfitError(SignatureError):
    """The arguments of a stored call are not those that the function takes in this code.

    An error of a call that the function makes itself is a plain SignatureError: a mistake in it.
    """


def check_signature(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise SignatureError if the task's function doesn't take these arguments."""
    if task.typing and not getattr(task, "batch", False):
        header = getattr(task, "__header__", None) or _header_of_class(task)
        try:
            header(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{task.name}: {error}") from None


def _header_of_class(task: Any) -> Callable[..., Any]:
    """Return a function that takes what ``run`` of a task takes, and does nothing.

    Celery makes one for a task that is a function, and none for a task that is a class.
    """
    run = original_run(task)
    return _make_header(getattr(run, "__func__", run), inspect.ismethod(run))


@lru_cache(maxsize=1024)
def _make_header(function: Callable[..., Any], is_method: bool) -> Callable[..., Any]:
    try:
        header: Callable[..., Any] = head_from_fun(function, bound=is_method)
    except (AttributeError, SyntaxError, TypeError, ValueError):  # a lambda, a partial, or C
        return lambda *args, **kwargs: None
    return header


def original_run(task: Any) -> Any:
    """Return the task's function, without the wrapper that Celery gives it for autoretry_for."""
    return getattr(task, "_orig_run", task.run)


def check_runnable(task: Any) -> None:
    """Raise TypeError if calling the task's function would run none of its code."""
    function = inspect.unwrap(original_run(task))
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
