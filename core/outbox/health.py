"""Health: whether calls are worked off in time, in every database, and which workers live.

Alert on a *problem*; a *note* is for a person to look at. There are two figures behind it, for each
task. The age of the oldest due call grows when nothing works them off, whatever the reason. The age
of the oldest failing call grows also where it is tried each minute, and so is never due for long.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import Count

from core.models import OutboxCall
from core.outbox.conf import conf
from core.outbox.heartbeat import stale_seconds, worker_ages
from core.outbox.operate import HELD
from core.outbox.sweep import due_ages, failing_ages, outbox_aliases

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerHealth:
    """A worker, and the seconds since its last heartbeat."""

    name: str
    age: float

    @property
    def is_stale(self) -> bool:
        """Whether it should have written another one by now."""
        return self.age > stale_seconds()


@dataclass(frozen=True)
class DatabaseHealth:
    """What one database says; ``error`` if it said nothing."""

    alias: str
    ages: Mapping[str, float] = field(default_factory=dict)
    """For each task that has due calls, the seconds since the oldest became due."""

    failing: Mapping[str, float] = field(default_factory=dict)
    """For each task that has calls that failed and are tried again, the seconds since the first
    failure of the oldest."""

    workers: Sequence[WorkerHealth] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    """How many calls are dead and uncertain."""

    error: str = ""

    @classmethod
    def read(cls, alias: str) -> "DatabaseHealth":
        """The database's state now; raises what the database raises."""
        counts = OutboxCall.objects.using(alias).filter(status__in=HELD).values_list("status")
        return cls(
            alias,
            due_ages(alias),
            failing_ages(alias),
            [WorkerHealth(name, age) for name, age in worker_ages(alias).items()],
            dict(counts.annotate(Count("pk")).order_by()),
        )

    def problems(self) -> Iterator[str]:
        """What is wrong, a sentence each."""
        if self.error:
            yield (
                f"Database {self.alias!r} can't be read: {self.error}. "
                "See that its server runs and that migrations are applied."
            )
        for task, age in sorted(self.ages.items()):
            if age > max_age(task):
                yield (
                    f"The oldest due call of {task} in {self.alias!r} is {age:.0f} s old, over the "
                    f"limit of {max_age(task):g} s. See that its worker runs, and what it logs."
                )
        for task, age in sorted(self.failing.items()):
            if age > max_failing_age(task):
                yield (
                    f"A call of {task} in {self.alias!r} has been tried for {age:.0f} s without "
                    f"success, over the limit of {max_failing_age(task):g} s. See its error in the "
                    "admin: a broker, a lock or a full disk that it waits for counts no attempt."
                )
        if (age := max(self.ages.values(), default=0)) > stale_seconds() and not self._has_worker():
            yield (
                f"No worker lives that settles calls in {self.alias!r}, and calls have been due "
                f"for {age:.0f} s, over the limit of {stale_seconds():g} s. Start a worker, or "
                "settle them with 'manage.py outbox drain'."
            )

    def notes(self) -> Iterator[str]:
        """What a person should look at, a sentence each."""
        for worker in self.workers:
            if worker.is_stale:
                yield (
                    f"{worker.name} was last seen in {self.alias!r} {worker.age:.0f} s ago, over "
                    f"the limit of {stale_seconds():g} s. It was killed, hangs or can't reach the "
                    "database; start it again if it is missed."
                )
        for status, count in sorted(self.held.items()):
            yield (
                f"Calls in {self.alias!r} that are {status}: {count}. Look at their errors in the "
                "admin; then 'manage.py outbox retry' or 'discard'."
            )

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        tasks = {task: self._ages_of(task) for task in sorted({*self.ages, *self.failing})}
        found = [
            {"name": worker.name, "age": round(worker.age, 1), "stale": worker.is_stale}
            for worker in self.workers
        ]
        held = {status.value: self.held.get(status.value, 0) for status in HELD}
        return {"reachable": not self.error, "tasks": tasks, "workers": found, **held}

    def _ages_of(self, task: str) -> dict[str, float | None]:
        due, failing = self.ages.get(task), self.failing.get(task)
        return {
            "oldest_age": None if due is None else round(due, 1),
            "max_age": max_age(task),
            "failing_age": None if failing is None else round(failing, 1),
            "max_failing_age": max_failing_age(task),
        }

    def _has_worker(self) -> bool:
        return any(not worker.is_stale for worker in self.workers)


@dataclass(frozen=True)
class Health:
    """All databases that have an outbox."""

    databases: Sequence[DatabaseHealth]

    @property
    def problems(self) -> list[str]:
        """What is wrong: without any, all is well."""
        return [text for database in self.databases for text in database.problems()]

    @property
    def notes(self) -> list[str]:
        """What a person should look at."""
        return [text for database in self.databases for text in database.notes()]

    def as_json(self) -> dict[str, Any]:
        """Verdict, sentences and figures."""
        return {
            "ready": not self.problems,
            "problems": self.problems,
            "notes": self.notes,
            "databases": {each.alias: each.as_json() for each in self.databases},
        }


class Probe(threading.Thread):
    """Reads one database, on a connection of its own, so that nobody need wait for its end."""

    def __init__(self, alias: str) -> None:
        super().__init__(name=f"outbox-health-{alias}", daemon=True)
        self.alias = alias
        self.started = time.monotonic()
        self.health: DatabaseHealth | None = None

    def run(self) -> None:
        """Read it; an error is what it says."""
        try:
            self.health = DatabaseHealth.read(self.alias)
        except Exception as error:  # noqa: BLE001  # however it fails, that is the answer
            # Its text may have addresses and names in it: for the log, not for who asks.
            logger.warning("Health of database %r unknown: %s", self.alias, error)
            self.health = DatabaseHealth(self.alias, error=type(error).__name__)
        finally:
            connections.close_all()

    def wait(self) -> DatabaseHealth:
        """What it read, OUTBOX_HEALTH_SECONDS after its start at the latest."""
        seconds = conf().HEALTH_SECONDS
        self.join(max(0, self.started + seconds - time.monotonic()))
        late = DatabaseHealth(self.alias, error=f"no answer within {seconds:g} s")
        return self.health or late


_probes: dict[str, Probe] = {}


def check_health() -> Health:
    """How every database's outbox stands, known within OUTBOX_HEALTH_SECONDS."""
    probes = [_probe(alias) for alias in outbox_aliases()]
    return Health([probe.wait() for probe in probes])


def max_age(task: str) -> float:
    """How long the task's oldest due call may have been due."""
    return conf().MAX_AGES.get(task, conf().MAX_AGE)


def max_failing_age(task: str) -> float:
    """Return how many seconds a call of the task may have been failing."""
    limit = conf().MAX_FAILING_AGE
    return 30 * max_age(task) if limit is None else limit


def _probe(alias: str) -> Probe:
    # A database that hangs has one probe waiting for it, not one more at every check.
    probe = _probes.get(alias)
    if probe is None or not probe.is_alive():
        probe = Probe(alias)
        probe.start()
        _probes[alias] = probe
    return probe
