"""The sweep: finds the calls that are due and that no wake-up reached, whatever the reason."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F, Min
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.claim import due_calls, recover_crashed
from core.outbox.conf import conf
from core.outbox.forks import no_fork
from core.outbox.heartbeat import Heartbeat
from core.outbox.lease import expire_leases
from core.outbox.settle import bury
from core.outbox.task import find_task
from core.outbox.wake import send_wake_up

logger = logging.getLogger(__name__)

# One index probe a task, where SELECT DISTINCT would read the whole backlog.
PENDING_TASKS = """
    WITH RECURSIVE tasks (task) AS (
        SELECT min(task) FROM core_outboxcall WHERE status = 'pending'
        UNION ALL
        SELECT (
            SELECT min(task) FROM core_outboxcall
            WHERE status = 'pending' AND core_outboxcall.task > tasks.task
        ) FROM tasks WHERE tasks.task IS NOT NULL
    )
    SELECT task FROM tasks WHERE task IS NOT NULL
"""

# MySQL probes its index for this one, and would read the whole backlog for that.
PENDING_TASKS_ON_MYSQL = (
    "SELECT DISTINCT task, status FROM core_outboxcall WHERE status = 'pending'"
)

STOP_SECONDS = 5
"""How long a worker that stops waits for its heartbeat to be deleted."""

AGE = ExpressionWrapper(Now() - F("available_at"), output_field=DurationField())


def outbox_aliases() -> list[str]:
    """The databases that have an outbox."""
    return [alias for alias in connections if getattr(connections[alias], "has_outbox", False)]


def due_ages(using: str) -> dict[str, float]:
    """For each task that has due calls, how many seconds ago the oldest became due."""
    with connections[using].cursor() as cursor:
        is_mysql = connections[using].vendor == "mysql"
        cursor.execute(PENDING_TASKS_ON_MYSQL if is_mysql else PENDING_TASKS)
        names = [name for name, *_ in cursor.fetchall()]
    ages = {name: oldest_age(using, name) for name in names}
    return {name: age for name, age in ages.items() if age is not None}


def oldest_age(using: str, task: str) -> float | None:
    """How many seconds ago the task's oldest due call became due; None if none is."""
    age = due_calls(using, task).annotate(age=AGE).values_list("age", flat=True).first()
    return None if age is None else max(age.total_seconds(), 0.0)


def failing_ages(using: str) -> dict[str, float]:
    """Return, for each task that has calls that are tried again, since how long the oldest fails.

    The ages are in seconds. A call that is tried each minute is never due for long, so that only
    this age tells how late it is.
    """
    status = OutboxCall.Status
    failing = OutboxCall.objects.using(using).filter(
        failing_since__isnull=False, status__in=(status.PENDING, status.RUNNING)
    )
    ages = failing.values("task").annotate(age=Now() - Min("failing_since")).order_by()
    return {row["task"]: max(row["age"].total_seconds(), 0.0) for row in ages}


def recover(using: str) -> int:
    """Settle what lost processes left and what nobody can run; how many became dead letters."""
    return recover_crashed(using) + expire_leases(using) + bury_unknown(using)


def bury_unknown(using: str) -> int:
    """Make dead letters of the calls that have waited too long for a worker with their task."""
    grace = conf().UNKNOWN_TASK_GRACE
    unknown = [name for name in due_ages(using) if find_task(name) is None]
    return sum(
        bury(
            due_calls(using, name)
            .order_by()
            .filter(available_at__lte=Now() - timedelta(seconds=grace)),
            f"No worker has had a task named {name!r} for {grace:g} seconds. If it was renamed or "
            "removed, bring it back under this name and retry the call, or discard it.",
        )
        for name in unknown
    )


def sweep(using: str) -> None:
    """Recover what was lost, and wake each task that has due calls."""
    recover(using)
    for task in due_ages(using):
        if find_task(task):
            send_wake_up(using, task)


class Sweeper(threading.Thread):
    """Sweeps all databases every OUTBOX_SWEEP_INTERVAL seconds, until it is stopped.

    Given the worker's name, it writes the worker's heartbeat at each sweep.
    """

    def __init__(self, worker: str = "") -> None:
        super().__init__(name="outbox-sweep", daemon=True)
        self._stopped = threading.Event()
        self._heartbeat = Heartbeat(worker) if worker else None

    def run(self) -> None:
        """Sweep, and go on after any error."""
        self._in_each_database(self._beat)
        while not self._stopped.wait(conf().SWEEP_INTERVAL):
            self._in_each_database(self._beat, sweep)
        self._in_each_database(self._end)

    def stop(self) -> None:
        """Stop after the sweep that runs now."""
        self._stopped.set()
        self.join(timeout=max(conf().SWEEP_INTERVAL, STOP_SECONDS))

    def _in_each_database(self, *steps: Callable[[str], None]) -> None:
        with no_fork():
            for using in outbox_aliases():
                for step in steps:
                    self._do(step, using)
            connections.close_all()  # not to be open when the pool forks a process

    def _do(self, step: Callable[[str], None], using: str) -> None:
        try:
            step(using)
        except Exception as error:  # noqa: BLE001  # the next one may find the server back
            logger.warning(
                "Sweep of database %r failed, the next is in %gs: %s",
                using,
                conf().SWEEP_INTERVAL,
                error,
            )

    def _beat(self, using: str) -> None:
        if self._heartbeat:
            self._heartbeat.beat(using)

    def _end(self, using: str) -> None:
        if self._heartbeat:
            self._heartbeat.end(using)


_sweeper: Sweeper | None = None


@worker_ready.connect
def worker_ready_start_sweep(sender: Any, **kwargs: Any) -> None:
    """Sweep from every worker: the guarantee needs no other process."""
    global _sweeper
    _sweeper = Sweeper(sender.hostname)
    _sweeper.start()


@worker_shutdown.connect
def worker_shutdown_stop_sweep(**kwargs: Any) -> None:
    """Stop sweeping before the worker's process ends."""
    if _sweeper is not None:
        _sweeper.stop()
