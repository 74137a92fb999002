"""Write and read heartbeats: for each worker a row in each database, with the worker's tasks."""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.models import OutboxWorker
from aftercommit.worker.rows import change_unlocked, lock_rows, short_transaction
from aftercommit.worker.successors import Life, not_replaced

logger = logging.getLogger(__name__)

Tasks = Mapping[str, str | None]
"""A worker's tasks by name, each with the arguments that it takes, as text. None for any."""

KEPT_FOR = timedelta(days=1)
"""The time for which a killed worker's row is kept, so that health can name the worker."""

AGE = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
KNOWN = ExpressionWrapper(Now() - F("first_seen_at"), output_field=DurationField())


class Heartbeat:
    """This process's row in each database, under the name that Celery has for the worker.

    ``tasks`` returns the tasks that the worker has. They are written with the first heartbeat, and
    again after they have changed.
    """

    def __init__(self, name: str, tasks: Callable[[], Tasks] = dict) -> None:
        self.name = name
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self._tasks = tasks
        self._written: dict[str, Tasks] = {}

    def beat(self, using: str) -> None:
        """Write that this worker lives. If the row is locked, leave it for the next heartbeat."""
        tasks = self._tasks()
        with short_transaction(using):
            rows = OutboxWorker.objects.using(using).filter(name=self.name)
            mine = lock_rows(rows).values_list("host", "pid").first()
            if mine is None and rows.exists():
                logger.warning("The heartbeat of %s in %r is locked by somebody", self.name, using)
                return
            if mine == (self.host, self.pid) and self._written.get(using) == tasks:
                rows.update(seen_at=Now())
                return
            self._write(rows, mine is None, tasks, is_new=using not in self._written)
        self._written[using] = tasks

    def _write(
        self, rows: QuerySet[OutboxWorker], is_missing: bool, tasks: Tasks, is_new: bool
    ) -> None:
        """Write the whole row. A killed worker of the same name is replaced by this one."""
        values = {"host": self.host, "pid": self.pid, "seen_at": Now(), "tasks": tasks}
        if is_missing:
            rows.create(name=self.name, **values)
            return
        started = {"started_at": Now()} if is_new else {}
        rows.update(ended_at=None, **started, **values)

    def end(self, using: str) -> None:
        """Write that this worker stops, so that nobody misses it.

        The row stays, because it names the worker's tasks: after a deploy the worker starts again.
        """
        mine = OutboxWorker.objects.using(using).filter(
            name=self.name, host=self.host, pid=self.pid, ended_at=None
        )
        change_unlocked(mine, lambda free: free.update(seen_at=Now(), ended_at=Now()))


def forget_workers(using: str) -> None:
    """Delete the rows of workers that stopped, or were killed, long ago."""
    kept = max(KEPT_FOR, timedelta(seconds=conf().UNKNOWN_TASK_GRACE))
    gone = OutboxWorker.objects.using(using).filter(seen_at__lt=Now() - kept)
    change_unlocked(gone, lambda free: free.delete()[0])


def worker_ages(using: str) -> dict[str, float]:
    """Return the seconds since the last heartbeat of each worker that lives or is missed, by name.

    Nobody misses a worker that was stopped, or that has a successor.
    """
    rows = OutboxWorker.objects.using(using).annotate(age=AGE, known=KNOWN).order_by("name")
    lives = [
        # A row that was there before the column was has the later time in it.
        Life(name, max(known, age).total_seconds(), age.total_seconds(), ended_at is not None)
        for name, known, age, ended_at in rows.values_list("name", "known", "age", "ended_at")
    ]
    return {life.name: life.last_seen for life in not_replaced(lives, stale_seconds())}


def stale_seconds() -> float:
    """Return the seconds after which a worker without a heartbeat is stale."""
    given = conf().STALE_WORKER
    return max(30, 3 * conf().SWEEP_INTERVAL) if given is None else given
