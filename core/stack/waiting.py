"""Wait for a condition, with a deadline: the one way to wait in the stack, tests and benchmarks."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    condition: Callable[[], Value],
    timeout: float = 10,
    awaited: str | Callable[[], str] = "the condition",
    every: float = 0.02,
) -> Value:
    """Return the condition's first true value, as soon as there is one.

    Raise TimeoutError, which names what was ``awaited``, after ``timeout`` seconds without a value.
    A function is called for the name only then, so that it can tell the state at the end.
    """
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() >= deadline:
            text = awaited() if callable(awaited) else awaited
            raise TimeoutError(f"Waited {timeout:g} s in vain for {text}.")
        time.sleep(every)
