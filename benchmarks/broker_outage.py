"""What a broker that fails costs a request: ``python -m benchmarks.broker_outage``.

One transaction with a save and three effects, as a web process makes it, on a PostgreSQL server of
its own (fsync on): with the broker healthy, stopped (connections are refused) and black-holed (they
are accepted and nothing answers). Beside it the same effects by Celery's own ``delay_on_commit``,
where an outage lets it be timed at all. The conditions take turns, so that all meet the same noise.

Exit status 0 if an outage adds less than 1 ms at the median and 5 ms at the 99th percentile.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.stack.postgres_server import PostgresServer
from core.stack.redis_server import RedisServer

MARK_MEDIAN, MARK_P99 = 1.0, 5.0
"""Milliseconds that an outage may add."""

EFFECTS = 3


class Conditions:
    """The broker, in each of the states that are compared."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        server.chosen_port = server.port  # it comes back where its clients know it

    def healthy(self) -> None:
        """It runs."""
        if not self.server.running:
            self.server.start()

    def stopped(self) -> None:
        """Connections to it are refused."""
        self.server.stop()

    def black_holed(self) -> None:
        """Connections to it are accepted, and it never answers."""
        self.healthy()
        self._signal(signal.SIGSTOP)

    def end(self, name: str) -> None:
        """Let a frozen server go on."""
        if name == "black_holed":
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.server.process is not None:
            os.kill(self.server.process.pid, number)


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the values don't exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def measure(function: Callable[[], Any], times: int) -> list[float]:
    """How many milliseconds each of so many calls takes."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        with suppress(Exception):  # Celery's own raises when the broker is down, after the commit
            function()
        taken.append((time.perf_counter() - begin) * 1000)
    return taken


def contenders() -> dict[str, Callable[[], Any]]:
    """The transaction without effects, with ours, and with Celery's own."""
    from celery import current_app
    from celery.contrib.django.task import DjangoTask
    from django.db import transaction

    from content.models import Category

    category = Category.objects.create(name="Benchmark", slug="benchmark")
    names = [f"benchmarks.effect_{number}" for number in range(EFFECTS)]
    ours = [current_app.task(name=name)(_effect) for name in names]
    theirs = [current_app.task(name=f"{name}_celery", base=DjangoTask)(_effect) for name in names]

    def request(tasks: list[Any]) -> None:
        with transaction.atomic():
            Category.objects.filter(pk=category.pk).update(name="Benchmark")
            for task in tasks:
                task.delay_on_commit(text="x" * 500)

    return {
        "no effects": lambda: request([]),
        "aftercommit": lambda: request(ours),
        "Celery": lambda: request(theirs),
    }


def _effect(text: str) -> None:
    """What is never run here: there is no worker."""


def run(rounds: int, times: int, conditions: Conditions) -> dict[tuple[str, str], list[float]]:
    """The times of each contender under each condition, in milliseconds."""
    requests = contenders()
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for condition in ("healthy", "stopped", "black_holed"):
            getattr(conditions, condition)()
            for name, request in requests.items():
                if name == "Celery" and condition == "black_holed":
                    continue  # it blocks for as long as its socket does, each time
                slow = name == "Celery" and condition == "stopped"
                taken[name, condition] += measure(request, 1 if slow else times)
            conditions.end(condition)
    return taken


def report(taken: dict[tuple[str, str], list[float]]) -> bool:
    """Print the table; whether the marks are met."""
    base = statistics.median(taken["no effects", "healthy"])
    print(f"{'':<14}{'broker':<13}{'n':>6}{'median ms':>11}{'p99 ms':>9}{'of no effects':>14}")
    for (name, condition), values in taken.items():
        median, p99 = statistics.median(values), percentile(values, 0.99)
        cells = f"{len(values):>6}{median:>11.2f}{p99:>9.2f}{median / base:>14.2f}"
        print(f"{name:<14}{condition.replace('_', '-'):<13}{cells}")
    healthy = taken["aftercommit", "healthy"]
    met = True
    for condition in ("stopped", "black_holed"):
        values = taken["aftercommit", condition]
        median = statistics.median(values) - statistics.median(healthy)
        p99 = percentile(values, 0.99) - percentile(healthy, 0.99)
        fine = median < MARK_MEDIAN and p99 < MARK_P99
        met &= fine
        differences = f"{median:+.2f} ms at the median (mark {MARK_MEDIAN:g}), "
        differences += f"{p99:+.2f} ms at p99 (mark {MARK_P99:g})"
        print(f"{condition.replace('_', '-')}: {differences}: {'met' if fine else 'NOT met'}")
    return met


def main() -> int:
    """Start the servers, measure, and say whether the marks are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="turns of all conditions (10)")
    parser.add_argument("--times", type=int, default=100, help="requests in a turn (100)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer() as redis,
        PostgresServer() as database,
    ):
        os.environ |= {"VAR_DIR": folder, "REDIS_URL": redis.url, "DATABASE_URL": database.url}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
        os.environ["LOG_LEVEL"] = "ERROR"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        conditions = Conditions(redis)
        try:
            met = report(run(options.rounds, options.times, conditions))
        finally:
            conditions.end("black_holed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
