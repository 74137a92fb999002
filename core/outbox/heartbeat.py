"""Heartbeats: which workers live, as a row for each in every database that they sweep."""

import os
import socket
from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now

from core.models import OutboxWorker
from core.outbox.conf import conf

KEPT = timedelta(days=1)
"""How long the heartbeat of a worker that was killed is kept, to be named."""

AGE = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())


class Heartbeat:
    """This process's row in each database, under the name that Celery has for the worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self._started: set[str] = set()

    def beat(self, using: str) -> None:
        """Write that this worker lives, and forget those that were killed long ago."""
        if using not in self._started or not self._row(using).update(seen_at=Now()):
            self._start(using)
        OutboxWorker.objects.using(using).filter(seen_at__lt=Now() - KEPT).delete()

    def end(self, using: str) -> None:
        """Delete the row: this worker stops, and nobody need look for it."""
        self._row(using).delete()

    def _start(self, using: str) -> None:
        # One of the same name that was killed is replaced: this worker has taken its place.
        values = {"host": self.host, "pid": self.pid, "started_at": Now(), "seen_at": Now()}
        OutboxWorker.objects.using(using).update_or_create(name=self.name, defaults=values)
        self._started.add(using)

    def _row(self, using: str) -> QuerySet[OutboxWorker]:
        rows = OutboxWorker.objects.using(using)
        return rows.filter(name=self.name, host=self.host, pid=self.pid)


def worker_ages(using: str) -> dict[str, float]:
    """The workers of a database by name, with the seconds since their last heartbeats."""
    rows = OutboxWorker.objects.using(using).order_by("name").annotate(age=AGE)
    return {name: age.total_seconds() for name, age in rows.values_list("name", "age")}


def stale_seconds() -> float:
    """How old a heartbeat may be before its worker is named as stale."""
    given = conf().STALE_WORKER
    return max(30, 3 * conf().SWEEP_INTERVAL) if given is None else given
