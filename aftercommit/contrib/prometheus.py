"""The outbox's figures for Prometheus: those of ``/readyz``, read whenever Prometheus asks.

Register the collector once, where the project sets its metrics up::

    from prometheus_client import REGISTRY
    from aftercommit.contrib.prometheus import OutboxCollector

    REGISTRY.register(OutboxCollector())

Alert on ``aftercommit_problems``, which is above 0 whenever ``/readyz`` answers 503.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from aftercommit.operations.calls import HELD
from aftercommit.operations.health import DatabaseHealth, check_health


def count_held(health: DatabaseHealth) -> dict[str, float]:
    """Return how many calls wait for a person, by status, unless the database didn't answer."""
    return {} if health.error else {each.value: health.held.get(each.value, 0) for each in HELD}


def heartbeats(health: DatabaseHealth) -> dict[str, float]:
    """Return the seconds since each worker's last heartbeat."""
    return {worker.name: worker.age for worker in health.workers}


def check_figures(health: DatabaseHealth) -> dict[str, float]:
    """Return each number that a health check of an app found, as ``check.figure``."""
    return {
        f"{check}.{figure}": value
        for check, findings in health.checks.items()
        for figure, value in findings.figures.items()
        if isinstance(value, int | float)
    }


WHOLE: Mapping[str, tuple[str, Callable[[DatabaseHealth], float]]] = {
    "up": ("1 if the database answered", lambda health: not health.error),
    "problems": ("Problems of the database's outbox", lambda health: len(list(health.problems()))),
}
"""Each figure of a whole database, with its description."""

PARTS: Mapping[str, tuple[str, str, Callable[[DatabaseHealth], Mapping[str, float]]]] = {
    "oldest_due_seconds": ("Age of the oldest due call", "task", lambda health: health.ages),
    "oldest_failing_seconds": ("Age of the first failure", "task", lambda health: health.failing),
    "held_calls": ("Calls that wait for a person", "status", count_held),
    "check_figures": ("Numbers of the apps' health checks", "figure", check_figures),
    "worker_heartbeat_seconds": ("Time since the last heartbeat", "worker", heartbeats),
}
"""Each figure that a database has several of, with its description and its label."""


class OutboxCollector(Collector):
    """A collector of the outbox of every database."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing, so that registering the collector asks no database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges with the figures of now, within OUTBOX_HEALTH_SECONDS."""
        databases = check_health().databases
        for name, (description, read) in WHOLE.items():
            yield gauge(name, description, [], (([db.alias], read(db)) for db in databases))
        for name, (description, label, read_all) in PARTS.items():
            found = ((db.alias, read_all(db).items()) for db in databases)
            parts = (([alias, key], value) for alias, items in found for key, value in items)
            yield gauge(name, description, [label], parts)


def gauge(
    name: str, description: str, labels: list[str], values: Iterable[tuple[list[str], float]]
) -> GaugeMetricFamily:
    """Return a gauge with these values, each with its database and what else the labels name."""
    family = GaugeMetricFamily(f"aftercommit_{name}", description, labels=["database", *labels])
    for texts, value in values:
        family.add_metric(texts, float(value))
    return family
