"""What grows: claims and rates with the depth of a backlog, tables and memory with use.

Conditions: ``10000 deep`` and the like, of audit rows and two worker processes; ``after the load``
is after a site with 3 effects a request and its workers have been kept busy. The memory is that of
all processes of the site or of the worker, one value for each half second of that load; ``under
load`` is the outbox's table and the time of a claim in it, one value for each 5 s.

``BENCH_LOAD_SECONDS`` makes the load last longer: 1800 for the half an hour that the marks mean.
``BENCH_LOAD_RATE`` makes it so many requests a second, where it is as many as the site can take.
``BENCH_LOAD_HELD`` has a transaction elsewhere keep its snapshot for so many seconds in the midst
of it, as a backup does: what dies meanwhile can't be vacuumed.

    BENCH_LOAD_SECONDS=3600 BENCH_LOAD_RATE=100 python -m benchmarks --only growth
"""

import http.client
import itertools
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from typing import TYPE_CHECKING

import psutil
import psycopg

from benchmarks.bench import Bench
from benchmarks.contender import Contender
from benchmarks.marks import OURS
from benchmarks.measures.drain import Backlog, Watch
from benchmarks.results import Result, Samples
from benchmarks.web import Clients, Site, site
from core.stack.ports import LOOPBACK
from core.stack.waiting import wait_until

if TYPE_CHECKING:
    from aftercommit.outbox.task import OutboxTask

KIND, PROCESSES, CLAIMS = "audit", 2, 100
SHALLOW = Backlog(KIND, 10_000, rounds=5)
DEPTHS = [Backlog(KIND, 10_000), Backlog(KIND, 100_000), Backlog(KIND, 1_000_000)]
"""From shallow to deep; the last is drained too."""

CLIENTS, EFFECTS = 2, 3
PATH = f"/publish/{EFFECTS}"

BEAT, BEATS = 0.5, 10
"""Seconds between two looks at the memory, and how many of these there are for one at the table."""

CLAIMS_OF_LOAD = 11
"""How many claims a look at the table takes the middle of."""

UNDER_LOAD, TABLE = "under load: ", "outbox table"


def measure(bench: Bench) -> Iterator[Result]:
    """The backlog's depth, then the load."""
    if OURS not in bench.contenders:
        return
    samples = Samples()
    depths = DEPTHS[:2] if bench.quick else DEPTHS
    time_claims(bench, depths, samples)
    time_drains(bench, depths[-1], samples)
    yield from samples.results("growth")
    seconds = float(os.environ.get("BENCH_LOAD_SECONDS", 6 if bench.quick else 40))
    rate = float(os.environ.get("BENCH_LOAD_RATE", inf))
    held = float(os.environ.get("BENCH_LOAD_HELD", 0))
    yield from load(bench, seconds, rate, held)


def time_claims(bench: Bench, depths: Sequence[Backlog], samples: Samples) -> None:
    """How long a batch takes to be claimed and given up again; the deepest backlog stays."""
    child = bench.child(OURS)
    for backlog in depths:
        bench.progress(f"growth: claims, {backlog.depth} deep")
        child.do("clear")
        child.run("benchmarks.backlog:fill", kind=KIND, depth=backlog.depth)
        taken = child.run("benchmarks.measures.growth:claim", times=CLAIMS)
        samples.add(OURS, f"{backlog.depth} deep", "ms a claim", taken)


def claim(contender: Contender, times: int) -> list[float]:
    """In a child: the milliseconds of each claim of a batch, its journal written and deleted."""
    return times_of_claims(contender.tasks.kinds[KIND], times)


def claim_of_load(contender: Contender, times: int) -> list[float]:
    """The same, in the midst of the load, where perhaps nothing is due; the workers find it."""
    return times_of_claims(contender.tasks.effects[0], times)


def times_of_claims(task: "OutboxTask", times: int) -> list[float]:
    """In a child: the milliseconds of each claim of the task's due calls, which it gives up."""
    from aftercommit.worker.claim import claim_batch

    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        batch = claim_batch("default", task.name, task.batch_size)
        if batch is not None:
            batch.finish()
        taken.append((time.perf_counter() - begin) * 1000)
    return taken


def time_drains(bench: Bench, deepest: Backlog, samples: Samples) -> None:
    """The rate in the backlog that ``time_claims`` has left, between those of shallow ones."""
    with bench.workers(OURS, PROCESSES, ready=False) as workers:
        pids = [worker.pid for worker in workers]
        bench.progress(f"growth: {deepest.depth} deep")
        for rate in Watch(bench, OURS, deepest, pids).rates_of_rest():
            samples.add(OURS, f"{deepest.depth} deep", "1/s", [rate])
        for number in range(SHALLOW.rounds):
            bench.progress(f"growth: {SHALLOW.depth} deep, round {number + 1}")
            found = dict(Watch(bench, OURS, SHALLOW, pids).drain())
            samples.add(OURS, f"{SHALLOW.depth} deep", "1/s", found["1/s"])
    bench.child(OURS).do("clear")


def load(bench: Bench, seconds: float, rate: float, held: float) -> Iterator[Result]:
    """Sizes, memory and claims, while a site and its workers are busy for so long."""
    bench.child(OURS).do("clear")
    with (
        site(bench, OURS) as running,
        bench.workers(OURS, PROCESSES) as workers,
        Clients(running, PATH) as clients,
        ThreadPoolExecutor(2) as threads,
    ):
        bench.progress(f"growth: {seconds:g} s of load")
        course = Course(bench, running.pid, [each.pid for each in workers])
        if rate == inf:
            asked = threads.submit(lambda: len(clients.ask(CLIENTS, seconds)))
        else:
            asked = threads.submit(ask_at, rate, seconds, running)
        after = max(seconds - held, 0) / 2
        holding = threads.submit(hold_snapshot, bench.servers.dsn(OURS), after, held)
        course.follow(asked)
        holding.result()
        note = f"{asked.result() * EFFECTS} calls in {seconds:g} s"
        note += f", a snapshot held for {held:g} s" if held else ""
        yield from course.results(note)
        left = "SELECT FROM aftercommit_outboxcall LIMIT 1"
        wait_until(lambda: not bench.servers.query(left, OURS), 60, "the rest of the load")
        watch = Watch(bench, OURS, SHALLOW, course.workers)
        rounds = [dict(watch.drain()) for _ in range(SHALLOW.rounds)]
        found = [rate for each in rounds for rate in each["1/s"]]
        yield Result("growth", OURS, "10000 deep, after the load", "1/s", found, note)


def ask_at(rate: float, seconds: float, running: Site) -> int:
    """Ask the site so many times a second, for so long; how often that was."""
    connection = http.client.HTTPConnection(LOOPBACK, running.port, timeout=30)
    asked = 0
    for _ in beats(1 / rate, lambda passed: passed >= seconds):
        connection.request("GET", PATH)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"The site answered with {answer.status}.")
        asked += 1
    connection.close()
    return asked


def hold_snapshot(dsn: str, after: float, seconds: float) -> None:
    """Some time from now, have a transaction that sees everything as it is then, for so long."""
    if not seconds:
        return
    time.sleep(after)
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT 1")
        time.sleep(seconds)


def beats(every: float, ended: Callable[[float], bool]) -> Iterator[int]:
    """The numbers of beats, one each ``every`` seconds; late ones follow at once, to catch up.

    Until ``ended``, which is told the seconds that have passed.
    """
    start = time.monotonic()
    for number in itertools.count():
        time.sleep(max(start + number * every - time.monotonic(), 0))
        if ended(time.monotonic() - start):
            return
        yield number


class Course:
    """What is seen of a load, over its time: a series for each thing and its unit."""

    def __init__(self, bench: Bench, web: int, workers: Sequence[int]) -> None:
        self.bench, self.web, self.workers = bench, web, workers
        self.series: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._vacuumed = self._table()[3]

    def follow(self, asked: "Future[int]") -> None:
        """Look until the load has ended, and once more then."""
        for beat in beats(BEAT, lambda _: asked.done()):
            self._add("memory of the web process", "MB", megabytes(self.web))
            self._add("memory of the worker", "MB", sum(map(megabytes, self.workers)))
            if beat % BEATS == 0:
                self._look_at_outbox()
        self._look_at_outbox()

    def results(self, note: str) -> Iterator[Result]:
        """The series, and where those of the table have ended."""
        for (what, unit), values in self.series.items():
            yield Result("growth", OURS, what, unit, values, note)
            if TABLE in what:
                ended = f"{what.removeprefix(UNDER_LOAD)}, after the load"
                yield Result("growth", OURS, ended, unit, values[-1:], note)

    def _look_at_outbox(self) -> None:
        total, indexes, dead, vacuumed = self._table()
        self._add(f"{UNDER_LOAD}{TABLE}", "MB", total / 1e6)
        self._add(f"{UNDER_LOAD}indexes of the {TABLE}", "MB", indexes / 1e6)
        self._add(f"{UNDER_LOAD}dead rows of the {TABLE}", "rows", dead)
        self._add(f"{UNDER_LOAD}vacuums of the {TABLE}", "vacuums", vacuumed - self._vacuumed)
        child = self.bench.child(OURS)
        taken = child.run("benchmarks.measures.growth:claim_of_load", times=CLAIMS_OF_LOAD)
        self._add(f"{UNDER_LOAD}a claim", "ms a claim", statistics.median(taken))

    def _add(self, what: str, unit: str, value: float) -> None:
        self.series[what, unit].append(float(value))

    def _table(self) -> tuple[int, int, int, int]:
        """The table's bytes, its indexes', its dead rows, and how often it was vacuumed."""
        query = """
            SELECT pg_total_relation_size(relid), pg_indexes_size(relid), n_dead_tup,
                autovacuum_count
            FROM pg_stat_user_tables WHERE relname = 'aftercommit_outboxcall'
        """
        total, indexes, dead, vacuumed = self.bench.servers.query(query, OURS)[0]
        return total, indexes, dead, vacuumed


def megabytes(pid: int) -> float:
    """The resident memory of a process and of those that it has started."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(each.memory_info().rss for each in family) / 1e6
