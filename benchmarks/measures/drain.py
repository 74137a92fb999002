"""How fast workers drain a backlog, and what an effect costs them and the database.

Conditions: ``audit, 2 processes, 10000 deep`` and the like; ``audit rows by COPY`` and the like are
of bare rows, written by two processes that do nothing else. A rate is that between two looks at
what the effects have done, while the workers run; the costs are those of the same time.
"""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from uuid import uuid4

import psutil
import psycopg

from benchmarks.bench import Bench
from benchmarks.contender import Contender, load
from benchmarks.marks import BARE, CELERY, OURS
from benchmarks.results import Result, Samples
from benchmarks.servers import cpu_seconds
from core.stack.waiting import wait_until

SLICE = 1.0
"""Seconds that a rate is of, where a backlog lasts so long."""

SHORT, PAUSE = 20_000, 0.02
"""A backlog that may be gone at any moment, and the seconds between two looks at it."""

WARM_UP = 2_000
"""Effects after which workers that have just started are in full swing."""

UNREAD = "unread"
"""A queue of Celery's that no worker reads."""

BATCH = 500
"""How many bare rows a transaction writes: as many as a drain's."""

TEXT = "a change of the item, as an audit log describes it ".ljust(500, "x")


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
PEERS = [*(Backlog(kind, 200, 5) for kind in ("noop", "counter", "mail")), SHALLOW]
KINDS = [Backlog("noop", 50_000), Backlog("counter", 50_000), Backlog("mail", 500)]
AUDIT = [Backlog("audit", 10_000, rounds=5), Backlog("audit", 100_000)]
OWN = {
    1: [*KINDS, AUDIT[1]],
    2: [*KINDS, *AUDIT, Backlog("audit", 1_000_000)],
    4: [*KINDS, AUDIT[1]],
}
"""The backlogs that we get, by the number of worker processes."""

QUICK = [Backlog("noop", 20_000), Backlog("counter", 20_000), Backlog("mail", 300), AUDIT[0]]


def measure(bench: Bench) -> Iterator[Result]:
    """The rates and costs of each contender that has workers; bare rows before and after."""
    samples = Samples()
    write_bare_rows(bench, samples)
    for name in bench.contenders:
        for processes, backlogs in backlogs_of(name, bench.quick).items():
            drain_all(bench, name, processes, backlogs, samples)
    write_bare_rows(bench, samples)
    yield from samples.results("drain")


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
        already = -self.backlog.depth if self.backlog.kind == "noop" else self._count()
        fill = "benchmarks.measures.drain:fill"
        self.bench.child(self.name).run(fill, kind=self.backlog.kind, depth=self.backlog.depth)
        costs = self._costs()
        looks = list(self._looks(already))
        costs = {unit: value - costs[unit] for unit, value in self._costs().items()}
        self._drop_rest(looks[-1].done)
        done = looks[-1].done - looks[0].done
        if done <= 0:
            self.bench.progress(f"drain: {self.name} did nothing that could be counted")
            return
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
            time.sleep(PAUSE if self.backlog.depth <= SHORT else SLICE)

    def _drop_rest(self, done: int) -> None:
        """Leave nothing that the workers would do before the next backlog."""
        if done < self.backlog.depth and self.name == OURS:
            self.bench.servers.query("TRUNCATE core_outboxcall", OURS)

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
    if kind == "noop":
        return lambda: -int(bench.child(name).do("left", kind="noop"))
    sql = {
        "audit": "SELECT count(*) FROM shop_log",
        "counter": "SELECT sum(value) FROM shop_counter",
    }[kind]
    return lambda: int(bench.servers.query(sql, name)[0][0])


def tree_seconds(pid: int) -> float:
    """The CPU seconds of a process and of those that it has started."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(cpu_seconds(each.pid) for each in family)


def fill(contender: Contender, kind: str, depth: int) -> None:
    """In a child: have so many effects wait.

    How they came to wait is not measured, and a backlog that grows slowly is half gone before it
    is deep: ours and Celery's are copies of one call and of one message.
    """
    copies = {OURS: copy_calls, CELERY: copy_messages}.get(contender.name)
    if copies is None:
        contender.enqueue(kind, depth)
    else:
        copies(contender, kind, depth)


def copy_calls(contender: Contender, kind: str, depth: int) -> None:
    """Ours, by the database itself, in one transaction."""
    from django.db import connection, transaction

    from core.outbox.call import encode_arguments, encode_context

    task = contender.tasks.kinds[kind].name  # type: ignore[attr-defined]
    payload = encode_arguments(task, [], {"item_id": -1})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_outboxcall (task, payload, context)
            SELECT %s, replace(%s, '-1', number::text), %s FROM generate_series(2, %s) AS number
            """,
            [task, payload, encode_context(), depth],
        )
        contender.add(kind, 1)  # its commit wakes the task


def copy_messages(contender: Contender, kind: str, depth: int) -> None:
    """Celery's, the first of which it has sent to a queue that no worker reads."""
    import redis
    from django.conf import settings

    task = contender.tasks.kinds[kind]  # type: ignore[attr-defined]
    sent = task.apply_async(kwargs={"item_id": 1}, queue=UNREAD)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        first = client.lpop(UNREAD).decode()
        messages = [copy_message(first, sent.id, number) for number in range(depth)]
        for start in range(0, depth, BATCH):
            client.lpush("celery", *messages[start : start + BATCH])


def copy_message(first: str, sent_id: str, number: int) -> str:
    """The message for another item, with an id of its own."""
    message = json.loads(first.replace(sent_id, str(uuid4())).replace(UNREAD, "celery"))
    message["properties"]["delivery_tag"] = str(uuid4())
    args, kwargs, embedded = json.loads(b64decode(message["body"]))
    body = json.dumps([args, {**kwargs, "item_id": number}, embedded])
    return json.dumps({**message, "body": b64encode(body.encode()).decode()})


# --- bare rows ------------------------------------------------------------------------------


def write_bare_rows(bench: Bench, samples: Samples) -> None:
    """The rates of two processes that write the rows of the audit effects and do nothing else."""
    bench.child(BARE)  # its database is there
    seconds = 0.5 if bench.quick else 1
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for how in WAYS:
            bench.progress(f"drain: audit rows by {how}")
            bench.servers.query("TRUNCATE shop_log", BARE)
            write = partial(write_rows, bench.servers.dsn(BARE), how)
            pool.map(write, [0.1] * 2)  # to warm up
            for _ in range(2):
                found = sum(pool.map(write, [seconds] * 2))
                samples.add(BARE, f"audit rows by {how}", "1/s", [found])
    bench.servers.query("TRUNCATE shop_log", BARE)


def write_rows(dsn: str, how: str, seconds: float) -> float:
    """In a process of its own: how many rows a second it writes, so many seconds long."""
    write = WAYS[how]
    rows = [(number, "update", TEXT) for number in range(BATCH)]
    with psycopg.connect(dsn) as connection:
        start, written = time.monotonic(), 0
        while (passed := time.monotonic() - start) < seconds:
            write(connection.cursor(), rows)
            connection.commit()
            written += BATCH
    return written / passed


Rows = Sequence[tuple[int, str, str]]


def copy(cursor: psycopg.Cursor, rows: Rows) -> None:
    """As fast as PostgreSQL takes rows."""
    columns = "COPY shop_log (item_id, action, text, created_at) FROM STDIN"
    with cursor.copy(columns) as copying:
        for row in rows:
            copying.write_row((*row, "now"))


def insert(cursor: psycopg.Cursor, rows: Rows) -> None:
    """One statement with all the rows."""
    values = ", ".join(["(%s, %s, %s, now())"] * len(rows))
    statement = f"INSERT INTO shop_log (item_id, action, text, created_at) VALUES {values}"  # noqa: S608
    cursor.execute(statement.encode(), [value for row in rows for value in row])


WAYS: dict[str, Callable[[psycopg.Cursor, Rows], None]] = {"COPY": copy, "INSERT": insert}
"""How bare rows are written."""
