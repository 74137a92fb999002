"""The one way in which a test waits: for a condition, with a deadline."""

from collections.abc import Callable
from typing import TypeVar

from core.stack.waiting import wait_until

Value = TypeVar("Value")

EVERY = 0.02


def wait_for(
    condition: Callable[[], Value],
    timeout: float = 10,
    message: str | Callable[[], str] = "the condition",
) -> Value:
    """The condition's first true value, as soon as there is one.

    Fails the test after ``timeout`` seconds without; ``message`` says what was waited for. Given as
    a function it is called then, so that it can tell the state at the end (a worker's log, say).
    """
    try:
        return wait_until(condition, timeout, "the condition", EVERY)
    except TimeoutError as error:
        awaited = message() if callable(message) else message
        raise AssertionError(f"Waited {timeout:g} s in vain for {awaited}") from error
