"""How fast PostgreSQL takes the rows of audit effects from two processes that do nothing else."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import psycopg

from benchmarks.bench import Bench
from benchmarks.marks import BARE
from benchmarks.results import Samples

PROCESSES = 2

BATCH = 500
"""How many rows a transaction writes: as many as a drain's."""

TURNS, WARM_UP = 4, 0.3
"""How many rates are measured each time, and for how many seconds the processes write before."""

TEXT = "a change of the item, as an audit log describes it ".ljust(500, "x")

Rows = Sequence[tuple[int, str, str]]


def measure(bench: Bench, samples: Samples) -> None:
    """Add their rates, by COPY and by INSERT."""
    bench.child(BARE)  # its database is there
    # As long as a deep backlog, which checkpoints and the disk that takes the WAL hold up.
    seconds = 0.25 if bench.quick else 2
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for how in WAYS:
            bench.progress(f"drain: audit rows by {how}")
            bench.servers.query("TRUNCATE shop_log", BARE)
            write = partial(write_rows, bench.servers.dsn(BARE), how)
            list(pool.map(write, [WARM_UP] * PROCESSES))
            for _ in range(TURNS):
                found = sum(pool.map(write, [seconds] * PROCESSES))
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
