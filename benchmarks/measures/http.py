"""Whole HTTP requests: how many a second, how long each takes, and what they cost the processors.

Conditions: ``3 effects, 1 client`` and ``3 effects, 8 clients``, each client asking again as soon
as it has its answer. gunicorn is of the same size for all contenders. No workers run, as if they
had machines of their own (so nobody answers Aftercommit's wake-ups, and it sends one a task every
five seconds); ``3 effects, 8 clients, workers at work`` has two worker processes on the same
processors, which the clients use too.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.contender import load
from benchmarks.marks import BARE, CELERY, OURS
from benchmarks.results import Result, Samples
from benchmarks.web import Clients, Site, site

PATH = "/publish/3"
EFFECTS = PATH.rpartition("/")[2] + " effects"
CLIENTS = {"1 client": 1, "8 clients": 8}
JUDGED = (BARE, OURS, CELERY)
"""The contenders that marks compare. The others have their turn in every fourth round only."""


@dataclass(frozen=True)
class Served:
    """A contender's site, and its clients."""

    name: str
    site: Site
    clients: Clients


def measure(bench: Bench) -> Iterator[Result]:
    """All contenders in turns."""
    names = [each for each in bench.contenders if not bench.quick or each in JUDGED]
    bench.start(names)
    samples = Samples()
    with ExitStack() as stack:
        served = [serve(bench, name, stack) for name in names]
        take_turns(bench, served, samples)
        if not bench.quick:
            measure_with_workers(bench, served, samples)
    yield from samples.results("http")


def serve(bench: Bench, name: str, stack: ExitStack) -> Served:
    """The contender's site and its clients, until the stack ends; the site's threads are warm."""
    bench.progress(f"http: starting the site of {name}")
    running = stack.enter_context(site(bench, name))
    clients = stack.enter_context(Clients(running, PATH))
    clients.ask(max(CLIENTS.values()), 0.3)
    return Served(name, running, clients)


def take_turns(bench: Bench, served: list[Served], samples: Samples) -> None:
    """Rounds in which the contenders have their turns, until the time is up; three at least."""
    limit, seconds = (6, 0.4) if bench.quick else (60, 0.6)
    start, rounds = time.monotonic(), 0
    while rounds < 3 or time.monotonic() - start < limit:
        rounds += 1
        bench.progress(f"http: round {rounds}")
        taking_part = [each for each in served if each.name in JUDGED or rounds % 4 == 1]
        for condition, clients in CLIENTS.items():
            for each in taking_part:
                take_turn(bench, each, f"{EFFECTS}, {condition}", clients, seconds, samples)
        for each in taking_part:
            bench.child(each.name).do("clear")


def measure_with_workers(bench: Bench, served: list[Served], samples: Samples) -> None:
    """One turn of each contender that has workers, with them at work beside it."""
    clients = max(CLIENTS.values())
    for each in served:
        if load(each.name).workers(2):
            bench.progress(f"http: {each.name} with workers")
            with bench.workers(each.name, 2):
                condition = f"{EFFECTS}, {clients} clients, workers at work"
                take_turn(bench, each, condition, clients, 2, samples)
                bench.child(each.name).do("clear")  # or the workers would stop late


def take_turn(
    bench: Bench, each: Served, condition: str, clients: int, seconds: float, samples: Samples
) -> None:
    """One contender's turn with so many clients."""
    web, database = each.site.cpu(), bench.servers.database_cpu()
    taken = each.clients.ask(clients, seconds)
    web, database = each.site.cpu() - web, bench.servers.database_cpu() - database
    count = len(taken)
    samples.add(each.name, condition, "1/s", [clients * 1000 / (sum(taken) / count)])
    samples.add(each.name, condition, "ms", taken)
    samples.add(each.name, condition, "ms CPU", [web * 1000 / count])
    samples.add(each.name, condition, "ms database CPU", [database * 1000 / count])
