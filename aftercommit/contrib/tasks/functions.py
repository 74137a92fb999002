"""The call of a task's function in a worker: plain or a coroutine, with or without the context."""

import asyncio
import json
from contextlib import suppress
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync

from aftercommit.contrib.tasks.api import AnyResult, AnyTask, TaskContext, normalize_json


class NotReturnable(Exception):
    """The function returned what JSON can't carry. The cause says why.

    Such a call is not run again, because its effect has been had and its value would not change.
    """


class Exited(Exception):
    """The function raised SystemExit, which is the cause. Its worker goes on."""


def find_cause(error: BaseException) -> BaseException:
    """Return the error that the task's own code met."""
    is_wrapper = isinstance(error, NotReturnable | Exited)
    return error.__cause__ if is_wrapper and error.__cause__ else error


def call_function(task: AnyTask, result: AnyResult, args: Any, kwargs: Any) -> Any:
    """Return what the task's function returns, in JSON's types.

    Raises what the function raises, Exited, or NotReturnable.
    """
    if task.takes_context:
        args = [TaskContext(task_result=result), *args]
    is_coroutine = iscoroutinefunction(task.func)
    try:
        value = call_coroutine(task, args, kwargs) if is_coroutine else task.call(*args, **kwargs)
    except SystemExit as error:
        raise Exited(f"{task.module_path} raised SystemExit: {error}") from error
    return to_json(task, value)


def call_coroutine(task: AnyTask, args: Any, kwargs: Any) -> Any:
    """Return what the coroutine function returns. Its queries use this thread's connection.

    A time limit interrupts this thread, while the coroutine runs in another one. There it is
    cancelled. Else it would go on beside the next attempt.
    """
    running: list[tuple[Any, Any]] = []

    async def run() -> Any:
        running.append((asyncio.get_running_loop(), asyncio.current_task()))
        return await task.acall(*args, **kwargs)

    try:
        return async_to_sync(run)()
    except BaseException:
        for loop, current in running:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(current.cancel)
        raise


def to_json(task: AnyTask, value: Any) -> Any:
    """Return the value in JSON's types. Raise NotReturnable if JSON can't carry it."""
    try:
        value = normalize_json(value)
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotReturnable(
            f"{task.module_path} returned what JSON can't carry: {error}. Return plain data."
        ) from error
    return value
