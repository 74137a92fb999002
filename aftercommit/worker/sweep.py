"""The sweep: finds the calls that are due and that no wake-up reached, whatever the reason."""

import time
from datetime import timedelta
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F, Min
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.outbox.wake import send_wake_up
from aftercommit.worker.announced_tasks import is_announced, list_own_tasks
from aftercommit.worker.claim import due_calls
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.heartbeat import Heartbeat, forget_workers
from aftercommit.worker.lease import expire_leases
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.periodic import PeriodicThread
from aftercommit.worker.periodic import outbox_aliases as outbox_aliases  # where others look for it
from aftercommit.worker.rate_limits import follow_rate_limits
from aftercommit.worker.revoke import revoke_as_told
from aftercommit.worker.rows import change_free
from aftercommit.worker.settle import bury

STOP_SECONDS = 5
"""How long a worker that stops waits for its last heartbeat to be written."""

AGE = ExpressionWrapper(Now() - F("available_at"), output_field=DurationField())


def due_ages(using: str) -> dict[str, float]:
    """Return for each task that has due calls how many seconds ago the oldest became due."""
    names = outbox_ops(connections[using]).pending_tasks()
    ages = {name: oldest_age(using, name) for name in names}
    return {name: age for name, age in ages.items() if age is not None}


def oldest_age(using: str, task: str) -> float | None:
    """Return how many seconds ago the task's oldest due call became due; None if none is."""
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
    """Settle what lost processes left and what nobody can run; return how many are dead now.

    Nothing here waits for a lock. What others have locked is left for the next time.
    """
    dead = recover_crashed(using) + expire_leases(using) + bury_unknown(using)
    forget_workers(using)
    return dead


def bury_unknown(using: str) -> int:
    """Make dead letters of the calls that have waited too long for a worker with their task."""
    names = [name for name in due_ages(using) if find_task(name) is None]
    lost = [name for name in names if not is_announced(using, name)]
    return sum(_bury_unknown(using, name) for name in lost)


def _bury_unknown(using: str, name: str) -> int:
    grace = conf().UNKNOWN_TASK_GRACE
    late = due_calls(using, name).filter(available_at__lte=Now() - timedelta(seconds=grace))
    error = (
        f"No worker has had a task named {name!r} for {grace:g} seconds. If it was renamed or "
        "removed, bring it back under this name and retry the call, or discard it."
    )
    return change_free(
        late.order_by(), lambda free: end_lost_calls(free, lambda rows: bury(rows, error), error)
    )


def sweep(using: str) -> None:
    """Wake each task that has due calls."""
    for task in due_ages(using):
        if find_task(task):
            send_wake_up(using, task)


class Sweeper:
    """Looks after all databases every OUTBOX_SWEEP_INTERVAL seconds, until it is stopped.

    One thread writes the worker's heartbeat, given the worker's name, and sweeps. Another recovers
    what was lost: however long that takes, heartbeats and wake-ups don't wait for it.
    """

    def __init__(self, worker: str = "") -> None:
        heart = Heartbeat(worker, list_own_tasks) if worker else None
        beats, ends = ([heart.beat], [heart.end]) if heart else ([], [])
        self._unreached: set[str] = set()
        self._threads = (
            PeriodicThread(
                "outbox-sweep", [*beats, self._sweep, revoke_as_told, follow_rate_limits], ends
            ),
            PeriodicThread("outbox-recover", [self._recover]),
        )

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after what is done now."""
        for thread in self._threads:
            thread.stop()
        deadline = time.monotonic() + max(conf().SWEEP_INTERVAL, STOP_SECONDS)
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def is_alive(self) -> bool:
        """Return whether one of the threads runs."""
        return any(thread.is_alive() for thread in self._threads)

    def _sweep(self, using: str) -> None:
        sweep(using)

    def _recover(self, using: str) -> None:
        """Recover what was lost; after an outage, once those who live had time to tell of it."""
        if using in self._unreached:
            connections[using].ensure_connection()
            self._unreached.discard(using)
            return
        try:
            recover(using)
        except Exception:
            self._unreached.add(using)
            raise


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
