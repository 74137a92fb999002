"""The sweep: wake the tasks of due calls that no wake-up reached, and recover what was lost."""

import logging
from datetime import timedelta

from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.outbox.task import find_task
from aftercommit.outbox.wake import send_wake_up
from aftercommit.outbox.waker import is_own_fault
from aftercommit.worker.announced_tasks import is_announced
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.dead_letters import bury
from aftercommit.worker.due import due_ages, due_calls
from aftercommit.worker.expired_leases import expire_leases
from aftercommit.worker.heartbeat import forget_workers
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.own_wake_ups import OwnWakeUps
from aftercommit.worker.rows import change_unlocked

logger = logging.getLogger(__name__)

_own_wake_ups = OwnWakeUps()


def sweep(using: str) -> None:
    """Wake each task that has due calls, whatever the reason why no wake-up reached it.

    Raises the errors of the broker's client. The other tasks would meet no broker either.
    """
    for task, age in due_ages(using).items():
        if find_task(task):
            _wake(using, task, age)


def _wake(using: str, task: str, age: float) -> None:
    """Wake the task. One that no message can be sent to keeps no other from being woken."""
    try:
        if send_wake_up(using, task) or _insist(using, task, age):
            _own_wake_ups.note((using, task), age)
    except Exception as error:
        if not is_own_fault(error):
            raise
        logger.warning("Not woken: %s in %r: %s", task, using, error)


def _insist(using: str, task: str, age: float) -> bool:
    """Wake a task that Redis has held back for too long. Return whether it was."""
    is_overdue = _own_wake_ups.is_overdue((using, task), age)
    return is_overdue and send_wake_up(using, task, insist=True)


def recover(using: str) -> int:
    """Settle the calls that dead processes left and that no worker can run.

    Return how many became dead letters. Nothing here waits for a lock: a row that another process
    has locked is left for the next time.
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
    return change_unlocked(
        late.order_by(), lambda free: end_lost_calls(free, lambda rows: bury(rows, error), error)
    )
