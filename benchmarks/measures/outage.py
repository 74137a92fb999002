"""What a broker that fails costs a request: a save with three effects.

Conditions: ``healthy``; ``dead``, connections to it are refused; ``black-holed``, they are accepted
and nothing answers; ``slow``, each answer takes 200 ms. All reach the broker by way of a proxy,
which makes it so, and the conditions take turns. Celery's own ``on_commit`` takes seconds with a
broker that fails, so it is timed a few times only, and not at all with one that is black-holed: it
blocks for as long as its sockets do. The other contenders' requests don't ask a broker. No workers
run.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

from benchmarks.bench import Bench
from benchmarks.child import Child
from benchmarks.contender import Contender
from benchmarks.marks import BARE, CELERY, OURS
from benchmarks.results import Result, Samples
from tests.reliability.proxy import Proxy

TIMES, WARM_UP = 30, 5
"""How many saves a turn has, and how many before it that don't count."""

SLOW = 0.2
"""Seconds that the slow broker takes for an answer."""


def healthy(proxy: Proxy) -> None:
    """It answers at once."""
    proxy.delay, proxy.silent = 0.0, False
    proxy.cut()  # those that lead nowhere
    proxy.accept()


def dead(proxy: Proxy) -> None:
    """It refuses connections."""
    proxy.refuse()


def black_holed(proxy: Proxy) -> None:
    """It takes connections, and says nothing on them nor on those there are."""
    proxy.silent = True
    proxy.forget()


def slow(proxy: Proxy) -> None:
    """It takes its time for each answer."""
    proxy.delay = SLOW


CONDITIONS: dict[str, Callable[[Proxy], None]] = {
    "healthy": healthy,
    "dead": dead,
    "black-holed": black_holed,
    "slow": slow,
}


def measure(bench: Bench) -> Iterator[Result]:
    """Rounds of all conditions, until the time is up; three at least."""
    names = [each for each in bench.contenders if each in (BARE, OURS, CELERY)]
    samples = Samples()
    limit, blocking = (5, 1) if bench.quick else (50, 4)
    with ExitStack() as stack:
        children = {name: start_child(bench, name, stack) for name in names}
        for child, _ in children.values():
            child.wait()
        start, rounds = time.monotonic(), 0
        while rounds < 3 or time.monotonic() - start < limit:
            rounds += 1
            bench.progress(f"outage: round {rounds}")
            for condition in CONDITIONS:
                for name, (child, proxy) in children.items():
                    blocks = name == CELERY and condition != "healthy"
                    if not blocks or (rounds <= blocking and condition != "black-holed"):
                        taken = take_turn(child, proxy, condition, times=1 if blocks else TIMES)
                        samples.add(name, condition, "ms", taken)
            for child, _ in children.values():
                child.do("clear")
    yield from samples.results("outage")


def start_child(bench: Bench, name: str, stack: ExitStack) -> tuple[Child, Proxy]:
    """A child that reaches its broker by way of a proxy, until the stack ends."""
    proxy = stack.enter_context(Proxy(bench.servers.redis_url(name)))
    return stack.enter_context(closing(Child(bench.servers, name, REDIS_URL=proxy.url))), proxy


def take_turn(child: Child, proxy: Proxy, condition: str, times: int) -> list[float]:
    """The milliseconds of each of so many saves, the broker having been well until then."""
    healthy(proxy)
    child.run("benchmarks.measures.outage:time_saves", times=WARM_UP)
    CONDITIONS[condition](proxy)
    taken: list[float] = child.run("benchmarks.measures.outage:time_saves", times=times)
    healthy(proxy)
    return taken


# --- in the child -----------------------------------------------------------------------------
def time_saves(contender: Contender, times: int) -> list[float]:
    """The milliseconds of each save, whether it raises after its commit or not."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        with suppress(Exception):  # Celery's own raises when the broker is down
            contender.save(effects=3)
        taken.append((time.perf_counter() - begin) * 1000)
    return taken
