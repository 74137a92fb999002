"""From the commit to the effect: how long an effect takes to be there for others to see.

From the moment COMMIT has returned in the client to the moment at which the transaction committed
that wrote the effect's row, by the server's own record of it; both are times of one clock. One save
with one effect, an audit row. Conditions: ``1/s``, ``20/s`` and ``200/s``, transactions a second.
Each contender's workers have two processes; all run at once, those of one are at work.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from benchmarks.bench import Bench
from benchmarks.child import Child
from benchmarks.contender import Contender, load
from benchmarks.marks import CELERY, LIGHT, OURS
from benchmarks.results import Result
from core.stack.waiting import wait_until

PROCESSES = 2
SLOWEST = 20
"""Seconds to wait for the last effect of a turn."""

EFFECTS = """
    SELECT item_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM shop_log
"""

Commits = list[tuple[int, float]]
"""The primary key of each item that was saved, and when its COMMIT had returned."""


@dataclass
class Turns:
    """What one contender did at one rate."""

    values: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    late: int = 0
    """How many effects had not happened in time."""

    def add(self, commits: Commits, effects: dict[int, float]) -> None:
        """A turn's commits, and when the effects of which committed."""
        taken = [(effects[pk] - at) * 1000 for pk, at in commits if pk in effects]
        self.values += taken
        self.rounds += sorted(taken)[len(taken) // 2 :][:1]
        self.late += len(commits) - len(taken)

    def result(self, contender: str, condition: str) -> Result:
        """As it is reported."""
        note = f"{self.late} were not there after {SLOWEST} s" if self.late else ""
        rounds = self.rounds if len(self.rounds) >= 3 else []  # fewer give no interval
        return Result("latency", contender, condition, "ms", self.values, note, rounds)


def measure(bench: Bench) -> Iterator[Result]:
    """All contenders that have workers, in turns."""
    names = [each for each in bench.contenders if load(each).workers(PROCESSES)]
    if bench.quick:
        names = [each for each in names if each in (OURS, CELERY)]
    turns = {name: {LIGHT: Turns(), "20/s": Turns(), "200/s": Turns()} for name in names}
    bench.start(names)
    with ExitStack() as stack:
        for name in names:
            bench.progress(f"latency: starting the workers of {name}")
            stack.enter_context(bench.workers(name, PROCESSES))
            take_turn(bench.child(name), Turns(), 200, 0.5)  # all processes have done something
        take_light_turns(bench, {name: turns[name][LIGHT] for name in names})
        take_fast_turns(bench, turns)
    for name, conditions in turns.items():
        for condition, each in conditions.items():
            if each.values:
                yield each.result(name, condition)


def take_light_turns(bench: Bench, turns: dict[str, Turns]) -> None:
    """One transaction a second of each contender, those of all evenly spread over it."""
    seconds = 10 if bench.quick else 30
    bench.progress(f"latency: {LIGHT}, for {seconds} s")
    due = time.monotonic()
    for _ in range(seconds):
        for name, each in turns.items():
            time.sleep(max(due - time.monotonic(), 0))
            take_turn(bench.child(name), each, 1, 1)
            due += 1 / len(turns)


def take_fast_turns(bench: Bench, turns: dict[str, dict[str, Turns]]) -> None:
    """Rounds of some seconds of each contender at each of the other rates, one at a time."""
    start, limit = time.monotonic(), 0 if bench.quick else 50
    rates = (20,) if bench.quick else (20, 200)  # no mark is of 200
    rounds = 0
    while rounds < 1 or time.monotonic() - start < limit:
        rounds += 1
        for rate in rates:
            bench.progress(f"latency: {rate}/s, round {rounds}")
            for name, conditions in turns.items():
                take_turn(bench.child(name), conditions[f"{rate}/s"], rate)


def take_turn(child: Child, turns: Turns, rate: int, seconds: float = 2.5) -> None:
    """One contender's turn at a rate; none once its effects came too late."""
    if turns.late:
        return
    count = max(int(rate * seconds), 1)
    commits = child.run("benchmarks.measures.latency:commit", rate=rate, count=count)
    effects = child.run("benchmarks.measures.latency:wait_for_effects", count=count)
    turns.add(commits, dict(effects))
    if turns.late:
        child.do("clear")


# --- in the child -----------------------------------------------------------------------------
def commit(contender: Contender, rate: int, count: int) -> Commits:
    """Save so many items with an effect each at a rate; when each COMMIT had returned."""
    from django.db import connection, transaction

    from benchmarks.shop.models import Log

    Log.objects.all().delete()
    connection.ensure_connection()
    returned = note_commits(connection.connection)
    commits = []
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(start + number / rate - time.monotonic(), 0))
        item = contender.next_item()
        with transaction.atomic():
            contender.save_item(item, 1)
        commits.append((item.pk, returned.pop()))
        returned.clear()
    del connection.connection.commit
    return commits


def note_commits(connection: object) -> list[float]:
    """A list that gets the time at each return of the psycopg connection's COMMIT."""
    times: list[float] = []
    original = connection.commit  # type: ignore[attr-defined]

    def commit() -> None:
        original()
        times.append(time.time())

    connection.commit = commit  # type: ignore[attr-defined]
    return times


def wait_for_effects(contender: Contender, count: int) -> list[tuple[int, float]]:
    """Each item whose effect is there, and when that committed; waits for so many, not forever."""
    from django.db import connection

    from benchmarks.shop.models import Log

    with suppress(TimeoutError):
        wait_until(lambda: Log.objects.count() >= count, SLOWEST, "effects", every=0.02)
    with connection.cursor() as cursor:
        cursor.execute(EFFECTS)
        found: list[tuple[int, float]] = cursor.fetchall()
        return found
