"""How fast workers drain a backlog, and what an effect costs them and the database.

Conditions: ``audit, 2 processes, 10000 deep`` and the like; ``audit rows by COPY`` and the like are
of bare rows, written by two processes that do nothing else, right before and right after our two
worker processes are at work. A rate is that between two looks at what the effects have done, while
the workers run; the costs are those of the same time.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks import bare_rows
from benchmarks.bench import Bench
from benchmarks.contender import load
from benchmarks.marks import CELERY, OURS
from benchmarks.results import Result, Samples
from benchmarks.servers import cpu_seconds
from core.stack.waiting import wait_until

SLICE = 1.0
"""Seconds that a rate is of, where a backlog lasts so long."""

PAUSE, PATIENCE = 0.02, 1e-6
"""Seconds between two looks at a backlog: at least, and for each of its effects. A look at many
takes the database time, and few may be gone at any moment."""

WARM_UP = 2_000
"""Effects after which workers that have just started are in full swing."""

JUDGED = 2
"""How many worker processes the marks are of."""


@dataclass(frozen=True)
class Backlog:
    """So many effects of a kind, drained for so many seconds, or until they are done."""

    kind: str
    depth: int
    seconds: float = 4
    rounds: int = 1

    def condition(self, processes: int) -> str:
        """What the results call it."""
        noun = "process" if processes == 1 else "processes"
        return f"{self.kind}, {processes} {noun}, {self.depth} deep"


# Where a backlog outlasts its time it is the last: the next would have to wait for it.
SHALLOW = Backlog("audit", 10_000)
PEERS = [Backlog("noop", 200, 5), Backlog("counter", 200, 5), Backlog("mail", 1000, 8), SHALLOW]
KINDS = [
    Backlog("noop", 100_000),
    Backlog("noop in batches", 100_000),
    Backlog("counter", 100_000),
    Backlog("mail", 1000),
]
AUDIT = [Backlog("audit", 10_000, rounds=5), Backlog("audit", 100_000)]
OWN = {
    1: [*KINDS, AUDIT[1]],
    2: [*KINDS, Backlog("audit by function", 100_000), *AUDIT, Backlog("audit", 1_000_000)],
    4: [*KINDS, AUDIT[1]],
}
"""The backlogs that we get, by the number of worker processes."""

QUICK = [Backlog(each.kind, min(each.depth // 5, 20_000)) for each in KINDS] + AUDIT[:1]


def measure(bench: Bench) -> Iterator[Result]:
    """The rates and costs of each contender that has workers, and of bare rows."""
    samples = Samples()
    for name in bench.contenders:
        for processes, backlogs in backlogs_of(name, bench.quick).items():
            compared = (name, processes) == (OURS, JUDGED)
            if compared:
                bare_rows.measure(bench, samples)
            drain_all(bench, name, processes, backlogs, samples)
            if compared:
                bare_rows.measure(bench, samples)
    yield from sorted(samples.results("drain"), key=by_condition)


def by_condition(result: Result) -> list[tuple[int, str]]:
    """Sorts results by the kind of effect, the number of processes and the depth."""
    parts = re.split(r"(\d+)", result.condition)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def backlogs_of(name: str, quick: bool) -> dict[int, list[Backlog]]:
    """What a contender is to drain, by the number of worker processes."""
    if not load(name).workers(2):
        return {}
    if quick:
        return {OURS: {2: QUICK}, CELERY: {2: [SHALLOW]}}.get(name, {})
    if name == CELERY:
        return {1: [SHALLOW], 2: PEERS, 4: [SHALLOW]}
    return OWN if name == OURS else {2: PEERS}


def drain_all(
    bench: Bench, name: str, processes: int, backlogs: Sequence[Backlog], samples: Samples
) -> None:
    """Drain one backlog after the other, by the same workers."""
    with bench.workers(name, processes) as workers:
        for backlog in backlogs:
            condition = backlog.condition(processes)
            for number in range(backlog.rounds):
                bench.progress(f"drain: {name}, {condition}, round {number + 1}")
                watch = Watch(bench, name, backlog, [worker.pid for worker in workers])
                for unit, values in watch.drain():
                    samples.add(name, condition, unit, values)
    bench.child(name).do("clear")


@dataclass
class Look:
    """How many effects were done at a time."""

    time: float
    done: int


class Watch:
    """What is seen of workers that drain one backlog."""

    def __init__(self, bench: Bench, name: str, backlog: Backlog, pids: Sequence[int]) -> None:
        self.bench, self.name, self.backlog, self.pids = bench, name, backlog, pids
        self._count = counter_of(bench, name, backlog.kind)

    def drain(self) -> Iterator[tuple[str, list[float]]]:
        """The rates and the costs, each with its unit."""
        # What does nothing is counted by what is left of it.
        already = -self.backlog.depth if is_noop(self.backlog.kind) else self._count()
        child, backlog = self.bench.child(self.name), self.backlog
        filling = Look(time.monotonic(), 0)
        child.run("benchmarks.backlog:fill", kind=backlog.kind, depth=backlog.depth)
        costs = self._costs()
        looks = list(self._looks(already))
        costs = {unit: value - costs[unit] for unit, value in self._costs().items()}
        self._drop_rest(looks[-1].done)
        done = looks[-1].done - looks[0].done
        if done <= 0:
            self.bench.progress(f"drain: {self.name} did nothing that could be counted")
            return
        if done < self.backlog.depth / 2:
            # The workers did most of it while it was made: what is left shows how they wait.
            looks = [filling, looks[-1]]
        yield "1/s", rates(looks, self.backlog.depth)
        for unit, value in costs.items():
            yield f"{unit} for 1000", [value * 1000 / done]

    def rates_of_rest(self) -> list[float]:
        """The rates in a backlog that was there before the workers; they have come into swing."""
        already = self._count()
        wait_until(lambda: self._count() - already > WARM_UP, 60, f"the workers of {self.name}")
        looks = list(self._looks(already))
        self._drop_rest(0)
        return rates(looks, self.backlog.depth)

    def _looks(self, already: int) -> Iterator[Look]:
        """The first at once, the last when all is done or the time is up."""
        deadline = time.monotonic() + self.backlog.seconds
        while True:
            # A call on its way from an outbox to a broker may be counted as left in both.
            look = Look(time.monotonic(), max(self._count() - already, 0))
            yield look
            if look.done >= self.backlog.depth or look.time >= deadline:
                return
            time.sleep(max(PAUSE, self.backlog.depth * PATIENCE))

    def _drop_rest(self, done: int) -> None:
        """Leave nothing that the workers would do before the next backlog."""
        if done < self.backlog.depth and self.name == OURS:
            self.bench.servers.query("TRUNCATE aftercommit_outboxcall", OURS)

    def _costs(self) -> dict[str, float]:
        """What has been spent so far."""
        servers = self.bench.servers
        return {
            "s CPU of workers": sum(map(tree_seconds, self.pids)),
            "s CPU of database": servers.database_cpu(),
            "kB of WAL": servers.wal_bytes() / 1000,
        }


def rates(looks: Sequence[Look], depth: int) -> list[float]:
    """Effects a second, of each second if there was one; not of the last look, which came late."""
    running = [look for look in looks if look.done < depth]
    if len(running) < 2 or running[-1].done - running[0].done < depth / 2:
        running = list(looks)
    found, last = [], running[0]
    for look in running[1:]:
        if look.time - last.time >= SLICE - PAUSE:
            found.append((look.done - last.done) / (look.time - last.time))
            last = look
    first, end = running[0], running[-1]
    return found or [(end.done - first.done) / (end.time - first.time)]


def counter_of(bench: Bench, name: str, kind: str) -> Callable[[], int]:
    """What counts the effects of the kind: by themselves; those that do nothing by what is left."""
    if kind == "mail":
        return lambda: bench.servers.smtp.received
    if is_noop(kind):
        return lambda: -int(bench.child(name).do("left", kind=kind))
    sql = {
        # To count a million rows takes the processors from those who write them. A batch that is
        # under way counts already, at the first look as at the last.
        "audit": "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM shop_log_id_seq",
        "counter": "SELECT sum(value) FROM shop_counter",
    }[kind.partition(" ")[0]]
    return lambda: int(bench.servers.query(sql, name)[0][0])


def is_noop(kind: str) -> bool:
    """Return whether effects of this kind leave nothing that could be counted."""
    return kind.startswith("noop")


def tree_seconds(pid: int) -> float:
    """The CPU seconds of a process and of those that it has started."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(cpu_seconds(each.pid) for each in family)
