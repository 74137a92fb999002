"""Whole HTTP requests: how many a second, how long each takes, and what they cost the processors.

Conditions: ``3 effects, 1 client`` and ``3 effects, 8 clients``, each client asking again as soon
as it has its answer, of a bare view: it does nothing but the save, and is behind no middleware.
``3 effects, page, 1 client`` and the like are the same save in what a site has around it: Django's
usual middleware, a user who is logged in (the session is in the database), an item that is loaded
first, and a template that lists twenty more.

gunicorn is of the same size for all contenders. No workers run, as if they had machines of their
own (so nobody answers Aftercommit's wake-ups, and it sends one a task every five seconds);
``3 effects, 8 clients, workers at work``, of the bare view, has two worker processes on the same
processors, which the clients use too.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

from benchmarks.bench import Bench
from benchmarks.contender import load
from benchmarks.marks import BARE, CELERY, FLOOR, OURS
from benchmarks.results import Result, Samples
from benchmarks.shop.reader import COOKIES
from benchmarks.web import Clients, Site, site

VIEWS = {"3 effects": ("/publish/3", ""), "3 effects, page": ("/page/3", COOKIES)}
"""The path of each view, and the cookies that its clients send."""

CLIENTS = {"1 client": 1, "8 clients": 8}
MANY = "8 clients"
MARKED = (BARE, OURS, CELERY)
"""The contenders that marks compare. A quick run has no others."""

JUDGED = (*MARKED, FLOOR)
"""Those that walls compare too, with many clients. All else has its turn in each fourth round."""


@dataclass(frozen=True)
class Served:
    """A contender's site, and the clients of each view."""

    name: str
    site: Site
    clients: dict[str, Clients]


def measure(bench: Bench) -> Iterator[Result]:
    """All contenders in turns."""
    names = [each for each in bench.contenders if not bench.quick or each in MARKED]
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
    clients = {
        view: stack.enter_context(Clients(running, *address)) for view, address in VIEWS.items()
    }
    for each in clients.values():
        each.ask(max(CLIENTS.values()), 0.3)
    return Served(name, running, clients)


def take_turns(bench: Bench, served: list[Served], samples: Samples) -> None:
    """Rounds in which the contenders have their turns, until the time is up; three at least."""
    limit, seconds = (6, 0.25) if bench.quick else (90, 0.4)
    start, rounds = time.monotonic(), 0
    while rounds < 3 or time.monotonic() - start < limit:
        rounds += 1
        bench.progress(f"http: round {rounds}")
        every = rounds % 4 == 1
        taking_part = [each for each in served if every or each.name in JUDGED]
        conditions = CLIENTS if every else {MANY: CLIENTS[MANY]}
        served = served[::-1]  # none is always after the same one
        for view, (condition, clients) in product(VIEWS, conditions.items()):
            for each in taking_part:
                name = f"{view}, {condition}"
                take_turn(bench, each, view, name, clients, seconds, samples)
        for each in taking_part:
            bench.child(each.name).do("clear")


def measure_with_workers(bench: Bench, served: list[Served], samples: Samples) -> None:
    """One turn of each contender that has workers, with them at work beside it."""
    view, clients = next(iter(VIEWS)), max(CLIENTS.values())
    for each in served:
        if load(each.name).workers(2):
            bench.progress(f"http: {each.name} with workers")
            with bench.workers(each.name, 2):
                condition = f"{view}, {clients} clients, workers at work"
                take_turn(bench, each, view, condition, clients, 2, samples)
                bench.child(each.name).do("clear")  # or the workers would stop late


def take_turn(
    bench: Bench,
    each: Served,
    view: str,
    condition: str,
    clients: int,
    seconds: float,
    samples: Samples,
) -> None:
    """One contender's turn with so many clients of a view."""
    web, database = each.site.cpu(), bench.servers.database_cpu()
    taken = each.clients[view].ask(clients, seconds)
    web, database = each.site.cpu() - web, bench.servers.database_cpu() - database
    count = len(taken)
    samples.add(each.name, condition, "1/s", [clients * 1000 / (sum(taken) / count)])
    samples.add(each.name, condition, "ms", taken)
    samples.add(each.name, condition, "ms CPU", [web * 1000 / count])
    samples.add(each.name, condition, "ms database CPU", [database * 1000 / count])
