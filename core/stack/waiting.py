"""Waiting for a condition with a deadline; the only way of waiting in the stack and its tests."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_until(
    condition: Callable[[], Answer], timeout: float, what: str, every: float = 0.05
) -> Answer:
    """The condition's first true answer; TimeoutError, naming what was awaited, when it is late."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := condition():
            return answer
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Waited {timeout:g} s in vain for {what}.")
        time.sleep(every)
