"""What a save costs with the database on another machine: nothing, and three effects.

Conditions: ``3 effects, 0.5 ms away``; a proxy holds up each answer of the server for as long, as a
network does within a data centre. The contenders take turns. No workers run.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

from benchmarks.bench import Bench
from benchmarks.child import Child
from benchmarks.marks import BACKEND, BARE, CELERY, OURS
from benchmarks.results import Result, Samples
from tests.reliability.proxy import Proxy

AWAY = 0.0005
"""Seconds from a statement to its answer, besides what the server takes for it."""

NAME = f"3 effects, {AWAY * 1000:g} ms away"

LEFT_OUT = "synchronous_slow_mail"
"""The contender whose mail takes 50 ms, beside which a network is nothing."""

TIMES, WARM_UP = 20, 5
"""How many saves a turn has, and how many before it that don't count."""


def measure(bench: Bench) -> Iterator[Result]:
    """Rounds of all contenders, until the time is up; three at least."""
    few = (BARE, BACKEND, OURS, CELERY)
    every = [each for each in bench.contenders if each != LEFT_OUT]
    names = [each for each in every if not bench.quick or each in few]
    samples = Samples()
    with ExitStack() as stack:
        children = [start_child(bench, name, stack) for name in names]
        start, rounds = time.monotonic(), 0
        while rounds < 3 or time.monotonic() - start < (3 if bench.quick else 25):
            rounds += 1
            bench.progress(f"network: round {rounds}")
            for child in children:
                child.do("clear")
                child.call("save", WARM_UP, effects=3)
                samples.add(child.name, NAME, "ms", child.call("save", TIMES, effects=3))
            children.append(children.pop(0))  # none is always after the same one
    yield from samples.results("network")


def start_child(bench: Bench, name: str, stack: ExitStack) -> Child:
    """A child that reaches its database by way of a proxy, until the stack ends."""
    bench.child(name)  # prepares the database
    proxy = stack.enter_context(Proxy(bench.servers.postgres_url(name)))
    proxy.delay = AWAY
    return stack.enter_context(closing(Child(bench.servers, name, DATABASE_URL=proxy.url)))
