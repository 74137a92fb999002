"""Starting: how long until something can be used.

Conditions: ``manage.py check``; ``site, first answer``, from the start of gunicorn (one process) to
its first answer; ``site, first save``, the first request that saves with three effects, after that;
``worker, first effect``, from the start of a worker of two processes to its first effect, a no-op
that was waiting.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.contender import load
from benchmarks.marks import BARE, OURS
from benchmarks.results import Result, Samples
from benchmarks.web import site


def measure(bench: Bench) -> Iterator[Result]:
    """The contenders that have workers, and the floor, in turns: one at least."""
    names = [each for each in bench.contenders if each == BARE or load(each).workers(2)]
    if bench.quick:
        names = [each for each in names if each in (BARE, OURS)]
    samples = Samples()
    start, rounds = time.monotonic(), 0
    while rounds < 1 or (not bench.quick and time.monotonic() - start < 20):
        rounds += 1
        for name in names:
            bench.progress(f"startup: {name}")
            bench.child(name)  # prepares the database
            samples.add(name, "manage.py check", "ms", [check(bench, name)])
            start_site(bench, name, samples)
            if load(name).workers(2):
                samples.add(name, "worker, first effect", "ms", [start_worker(bench, name)])
            bench.child(name).do("clear")
    yield from samples.results("startup")


def milliseconds_since(begin: float) -> float:
    """Of ``time.perf_counter``."""
    return (time.perf_counter() - begin) * 1000


def check(bench: Bench, name: str) -> float:
    """The milliseconds of Django's checks, in a process of their own."""
    command = [sys.executable, "-m", "django", "check"]
    begin = time.perf_counter()
    environment = bench.servers.environment(name)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return milliseconds_since(begin)


def start_site(bench: Bench, name: str, samples: Samples) -> None:
    """A site's first answers."""
    begin = time.perf_counter()
    with site(bench, name, processes=1, threads=1) as running:
        samples.add(name, "site, first answer", "ms", [milliseconds_since(begin)])
        begin = time.perf_counter()
        running.answers("/publish/3")
        samples.add(name, "site, first save", "ms", [milliseconds_since(begin)])


def start_worker(bench: Bench, name: str) -> float:
    """The milliseconds until a worker has done its first effect."""
    begin = time.perf_counter()
    with bench.workers(name, 2):
        return milliseconds_since(begin)
