"""What grows: claims and rates with the depth of a backlog, tables and memory with use.

Conditions: ``10000 deep`` and the like, of audit rows and two worker processes; ``under load`` is
after a site with 3 effects a request and its workers have been kept busy. The memory is that of all
processes of the site or of the worker, one value for each half second of that load.

``BENCH_LOAD_SECONDS`` makes the load last longer: 1800 for the half an hour that the marks mean.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from benchmarks.bench import Bench
from benchmarks.contender import Contender
from benchmarks.marks import OURS
from benchmarks.measures.drain import Backlog, Watch
from benchmarks.results import Result, Samples
from benchmarks.web import Clients, site
from core.stack.waiting import wait_until

KIND, PROCESSES, CLAIMS = "audit", 2, 100
SHALLOW = Backlog(KIND, 10_000, rounds=5)
DEPTHS = [Backlog(KIND, 10_000), Backlog(KIND, 100_000), Backlog(KIND, 1_000_000)]
"""From shallow to deep; the last is drained too."""

CLIENTS, EFFECTS, BEAT = 2, 3, 0.5


def measure(bench: Bench) -> Iterator[Result]:
    """The backlog's depth, then the load."""
    if OURS not in bench.contenders:
        return
    samples = Samples()
    depths = DEPTHS[:2] if bench.quick else DEPTHS
    time_claims(bench, depths, samples)
    time_drains(bench, depths[-1], samples)
    yield from samples.results("growth")
    seconds = float(os.environ.get("BENCH_LOAD_SECONDS", 8 if bench.quick else 40))
    yield from load(bench, seconds)


def time_claims(bench: Bench, depths: Sequence[Backlog], samples: Samples) -> None:
    """How long a batch takes to be claimed and given up again; the deepest backlog stays."""
    child = bench.child(OURS)
    for backlog in depths:
        bench.progress(f"growth: claims, {backlog.depth} deep")
        child.do("clear")
        child.run("benchmarks.measures.drain:fill", kind=KIND, depth=backlog.depth)
        taken = child.run("benchmarks.measures.growth:claim", times=CLAIMS)
        samples.add(OURS, f"{backlog.depth} deep", "ms a claim", taken)


def claim(contender: Contender, times: int) -> list[float]:
    """In a child: the milliseconds of each claim of a batch, its journal written and deleted."""
    from core.outbox.claim import claim_batch

    task = contender.tasks.kinds[KIND]  # type: ignore[attr-defined]
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        batch = claim_batch("default", task.name, task.batch_size)
        assert batch is not None
        batch.forget()
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


def load(bench: Bench, seconds: float) -> Iterator[Result]:
    """Sizes and memory, while a site and its workers are busy for so long."""
    bench.child(OURS).do("clear")
    with (
        site(bench, OURS) as running,
        bench.workers(OURS, PROCESSES) as workers,
        Clients(running, f"/publish/{EFFECTS}") as clients,
        ThreadPoolExecutor(1) as thread,
    ):
        bench.progress(f"growth: {seconds:g} s of load")
        asked = thread.submit(clients.ask, CLIENTS, seconds)
        web: list[float] = []
        worker: list[float] = []
        while not asked.done():
            web.append(megabytes(running.pid))
            worker.append(sum(megabytes(each.pid) for each in workers))
            time.sleep(BEAT)
        calls = len(asked.result()) * EFFECTS
        note = f"{calls} calls in {seconds:g} s"
        yield Result("growth", OURS, "memory of the web process", "MB", web, note)
        yield Result("growth", OURS, "memory of the worker", "MB", worker, note)
        yield from sizes(bench, note)
        left = "SELECT FROM core_outboxcall LIMIT 1"
        wait_until(lambda: not bench.servers.query(left, OURS), 60, "the rest of the load")
        pids = [each.pid for each in workers]
        rounds = [dict(Watch(bench, OURS, SHALLOW, pids).drain()) for _ in range(SHALLOW.rounds)]
        found = [rate for each in rounds for rate in each["1/s"]]
        yield Result("growth", OURS, "10000 deep, after the load", "1/s", found, note)


def sizes(bench: Bench, note: str) -> Iterator[Result]:
    """What the outbox's table has grown to, and what of it is dead."""
    query = """
        SELECT pg_total_relation_size(relid), pg_indexes_size(relid), n_dead_tup, autovacuum_count
        FROM pg_stat_user_tables WHERE relname = 'core_outboxcall'
    """
    total, indexes, dead, vacuumed = bench.servers.query(query, OURS)[0]
    note += f", vacuumed {vacuumed} times"
    values = {
        ("outbox table", "MB"): total / 1e6,
        ("indexes of the outbox table", "MB"): indexes / 1e6,
        ("dead rows of the outbox table", "rows"): float(dead),
    }
    for (what, unit), value in values.items():
        yield Result("growth", OURS, f"{what}, after the load", unit, [value], note)


def megabytes(pid: int) -> float:
    """The resident memory of a process and of those that it has started."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(each.memory_info().rss for each in family) / 1e6
