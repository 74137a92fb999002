"""What a child does to measure: it runs there, and its result goes to the parent."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from benchmarks.contender import Contender

COUNTED = 5
"""How often the calls of a method are counted."""


def time_calls(
    contender: Contender,
    method: str,
    times: int,
    kwargs: dict[str, Any],
    seconds: float = float("inf"),
    least: int = 1,
) -> list[float]:
    """The milliseconds of each call; of fewer, but ``least``, when so many seconds are over."""
    function = getattr(contender, method)
    taken = []
    start = time.perf_counter()
    for _ in range(times):
        begin = time.perf_counter()
        function(**kwargs)
        end = time.perf_counter()
        taken.append((end - begin) * 1000)
        if end - start > seconds and len(taken) >= least:
            break
    return taken


def time_calls_and_cpu(contender: Contender, **kwargs: Any) -> dict[str, Any]:
    """As ``time_calls``, with the CPU milliseconds of the process for each call."""
    begin = time.process_time()
    taken = time_calls(contender, **kwargs)
    return {"taken": taken, "cpu": (time.process_time() - begin) * 1000 / len(taken)}


def count_calls(contender: Contender, method: str, kwargs: dict[str, Any]) -> dict[str, int]:
    """How many functions of each package Python calls, or goes on with, in the method's thread.

    Of several times the least: a thread that waits to be woken up costs a few calls more. So it is
    the same each time, whatever the machine is.
    """
    function = partial(getattr(contender, method), **kwargs)
    for _ in range(3):  # what is made at first and kept
        function()
    return min((calls_of(function) for _ in range(COUNTED)), key=lambda each: sum(each.values()))


def calls_of(function: Callable[[], Any]) -> dict[str, int]:
    """How many functions of each package Python calls in one call of the function."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            counts[frame.f_globals.get("__name__", "").partition(".")[0]] += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return dict(counts)


def do(contender: Contender, method: str, kwargs: dict[str, Any]) -> Any:
    """What the contender's method returns."""
    return getattr(contender, method)(**kwargs)


def time_control(contender: Contender, times: int) -> dict[str, list[float]]:
    """The milliseconds of what depends on the machine alone: a loop, and the database's answer."""
    from django.db import connection

    loops, answers = [], []
    with connection.cursor() as cursor:
        for _ in range(times):
            begin = time.perf_counter()
            sum(number * number for number in range(10_000))
            middle = time.perf_counter()
            cursor.execute("SELECT 1")
            cursor.fetchone()
            loops.append((middle - begin) * 1000)
            answers.append((time.perf_counter() - middle) * 1000)
    return {"a loop in Python": loops, "SELECT 1": answers}
