"""What an audit costs the request that is audited: time, statements, CPU, bytes written.

Conditions: one item is created, updated in a field of 40 or of 500 characters, or deleted; or a
hundred are updated in one transaction, which is what its time is of. ``ms added`` is the difference
to the same without any audit, round by round. ``bytes an entry`` are those of the log's table with
its indexes.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.bench import Bench
from benchmarks.child import Child
from benchmarks.results import Result, Samples
from benchmarks.turns import Condition, take_turn
from core.stack.waiting import wait_until

FLOOR = "unaudited"

STOCK = 100
"""Items that there are in a round; more than are deleted in it."""

BYTES = """
    SELECT sum(pg_relation_size(part)) FROM (
        SELECT %(table)s::regclass::oid AS part
        UNION SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass
        UNION SELECT reltoastrelid FROM pg_class
            WHERE oid = %(table)s::regclass AND reltoastrelid <> 0
    ) AS parts
"""
"""What a table takes with its indexes and its long values."""

SINGLE = [
    Condition(name, method, kwargs, times=25, seconds=0.08, warm_up=2)
    for name, method, kwargs in (
        ("create", "create", {}),
        ("update of 40 characters", "update", {"field": "title"}),
        ("update of 500 characters", "update", {"field": "text"}),
        ("delete", "delete", {}),
    )
]
MANY = Condition("100 updates", "update", {"field": "title", "rows": 100}, times=1, warm_up=0)
CONDITIONS = [*SINGLE, MANY]


def measure(bench: Bench) -> Iterator[Result]:
    """Time, CPU and bytes of WAL of all in turns; then their statements, and their entries."""
    for child in bench.start(bench.auditors).values():
        child.do("make_tables")
    samples = Samples()
    take_turns(bench, 6 if bench.quick else 35, samples)
    results = list(samples.results("audit"))
    yield from results
    yield from added(results)
    yield from count_statements(bench)
    yield from weigh_entries(bench, 200 if bench.quick else 1000)


def take_turns(bench: Bench, seconds: float, samples: Samples) -> None:
    """Rounds in which each contender has its turn, until the time is up; three at least."""
    start, rounds = time.monotonic(), 0
    while rounds < 3 or time.monotonic() - start < seconds:
        rounds += 1
        bench.progress(f"audit: round {rounds}")
        for name in bench.auditors:
            bench.child(name).do("stock", rows=STOCK)
        for condition in CONDITIONS:
            for name in bench.auditors:
                take_turn(bench.servers, bench.child(name), condition, samples)
        for name in bench.auditors:
            bench.child(name).do("clear")


def added(results: list[Result]) -> Iterator[Result]:
    """What each contender's time is over that of the floor, in each round."""
    timed = {(each.contender, each.condition): each for each in results if each.unit == "ms"}
    for (name, condition), result in timed.items():
        floor = timed.get((FLOOR, condition))
        if floor and name != FLOOR:
            pairs = zip(result.rounds, floor.rounds, strict=True)
            values = [own - bare for own, bare in pairs]
            yield Result("audit", name, condition, "ms added", values, rounds=values)


def count_statements(bench: Bench) -> Iterator[Result]:
    """What the server is sent for one transaction, its BEGIN and COMMIT apart."""
    for name in bench.auditors:
        child = bench.child(name)
        child.do("stock", rows=STOCK)
        for condition in CONDITIONS:
            with bench.servers.logged_statements(name) as statements:
                child.do(condition.method, **condition.kwargs)
            yield Result("audit", name, condition.name, "statements", [float(len(statements))])
        child.do("clear")


def weigh_entries(bench: Bench, rows: int) -> Iterator[Result]:
    """How many bytes the log takes for an entry of each kind."""
    for name in (name for name in bench.auditors if name != FLOOR):
        bench.progress(f"audit: entries of {name}")
        child = bench.child(name)
        with bench.workers(name, 1, ready=False):
            for condition in SINGLE:
                child.do("stock", rows=rows)
                empty = child.run("benchmarks.measures.audit:weigh_log")
                child.do(condition.method, **condition.kwargs, rows=rows)
                wait_until(partial(is_written, child), 60, f"the entries of {name}")
                full = child.run("benchmarks.measures.audit:weigh_log")
                bytes_each = (full["bytes"] - empty["bytes"]) / full["entries"]
                note = f"of {full['entries']} entries for {rows} changes"
                yield Result("audit", name, condition.name, "bytes an entry", [bytes_each], note)


def is_written(child: Child) -> bool:
    """Whether all that happened is in the log."""
    return bool(child.do("left", kind="") == 0)


def weigh_log(contender: Any) -> dict[str, int]:
    """How many bytes the log's table has, and how many entries. Runs in the child."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f'VACUUM "{contender.log}"')  # gives back pages that are only set aside
        cursor.execute(BYTES, {"table": contender.log})
        size = int(cursor.fetchone()[0])
        cursor.execute(f'SELECT count(*) FROM "{contender.log}"')  # noqa: S608  # its own name
        return {"bytes": size, "entries": cursor.fetchone()[0]}
