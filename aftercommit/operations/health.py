"""Health: whether calls are worked off in time, in every database, and which workers live.

Alert on a *problem*; a *note* is for a person to look at. There are two figures behind it, for each
task. The age of the oldest due call grows when nothing works them off, whatever the reason. The age
of the oldest failing call grows also where it is tried each minute, and so is never due for long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db.models import Count

from aftercommit.conf import conf
from aftercommit.db.aliases import outbox_aliases
from aftercommit.models import OutboxCall
from aftercommit.operations.calls import HELD
from aftercommit.operations.health_checks import Checks, Findings, start_checks, wait_for_checks
from aftercommit.operations.probe import NoAnswer, Probe, start_probe
from aftercommit.worker.due import due_ages, failing_ages
from aftercommit.worker.heartbeat import stale_seconds, worker_ages


@dataclass(frozen=True)
class WorkerHealth:
    """A worker, and the seconds since its last heartbeat."""

    name: str
    age: float

    @property
    def is_stale(self) -> bool:
        """Return whether the worker should have written another heartbeat by now."""
        return self.age > stale_seconds()


@dataclass(frozen=True)
class DatabaseHealth:
    """The health of one database. ``error`` says why it could not be read."""

    alias: str
    ages: Mapping[str, float] = field(default_factory=dict)
    """For each task that has due calls, the seconds since the oldest became due."""

    failing: Mapping[str, float] = field(default_factory=dict)
    """For each task that has calls that failed and are tried again, the seconds since the first
    failure of the oldest."""

    workers: Sequence[WorkerHealth] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    """The number of calls that are dead, and that are uncertain."""

    error: str = ""

    checks: Mapping[str, Findings] = field(default_factory=dict)
    """The findings of each app's own check."""

    @classmethod
    def read(cls, alias: str) -> "DatabaseHealth":
        """Return the database's health now. Raises what the database raises."""
        counts = OutboxCall.objects.using(alias).filter(status__in=HELD).values_list("status")
        return cls(
            alias,
            due_ages(alias),
            failing_ages(alias),
            [WorkerHealth(name, age) for name, age in worker_ages(alias).items()],
            dict(counts.annotate(Count("pk")).order_by()),
        )

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each thing that is wrong."""
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
        for found in self.checks.values():
            yield from found.problems

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each thing that a person should look at."""
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
        for found in self.checks.values():
            yield from found.notes

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON can carry them."""
        tasks = {task: self._ages_of(task) for task in sorted({*self.ages, *self.failing})}
        workers = [
            {"name": worker.name, "age": round(worker.age, 1), "stale": worker.is_stale}
            for worker in self.workers
        ]
        held = {status.value: self.held.get(status.value, 0) for status in HELD}
        checks = {name: dict(findings.figures) for name, findings in self.checks.items()}
        found = {"tasks": tasks, "workers": workers, **held, "checks": checks}
        return {"reachable": not self.error, **found}

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
        """Return a sentence for each thing that is wrong. All is well without any."""
        return [text for database in self.databases for text in database.problems()]

    @property
    def notes(self) -> list[str]:
        """Return a sentence for each thing that a person should look at."""
        return [text for database in self.databases for text in database.notes()]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict, the sentences and the figures as JSON can carry them."""
        return {
            "ready": not self.problems,
            "problems": self.problems,
            "notes": self.notes,
            "databases": {each.alias: each.as_json() for each in self.databases},
        }


def check_health() -> Health:
    """Return how every database's outbox stands, within OUTBOX_HEALTH_SECONDS."""
    started = {alias: _start(alias) for alias in outbox_aliases()}
    return Health([_wait(alias, *probes) for alias, probes in started.items()])


def max_age(task: str) -> float:
    """Return how many seconds the task's oldest due call may have been due."""
    return conf().MAX_AGES.get(task, conf().MAX_AGE)


def max_failing_age(task: str) -> float:
    """Return how many seconds a call of the task may have been failing."""
    limit = conf().MAX_FAILING_AGE
    return 30 * max_age(task) if limit is None else limit


def _start(alias: str) -> tuple[Probe[DatabaseHealth], Checks]:
    return start_probe(partial(DatabaseHealth.read, alias), alias), start_checks(alias)


def _wait(alias: str, probe: Probe[DatabaseHealth], checks: Checks) -> DatabaseHealth:
    try:
        database = probe.wait()
    except NoAnswer as error:
        database = DatabaseHealth(alias, error=str(error))
    return replace(database, checks=wait_for_checks(alias, checks))
