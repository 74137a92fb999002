"""End calls that have no run to report their end: the process died, or no worker has the task.

The end is reported to all who watch tasks, in the transaction that records it.
"""

import logging
from collections.abc import Callable, Sequence

from billiard.exceptions import WorkerLostError
from django.db import connections
from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.failures import report_failure
from aftercommit.worker.loading import load_calls
from aftercommit.worker.logs import log_fields, log_safely
from aftercommit.worker.runner import Runner

Status = OutboxCall.Status


def end_lost_calls(
    rows: QuerySet[OutboxCall],
    change: Callable[[QuerySet[OutboxCall]], int],
    text: str,
    status: OutboxCall.Status = Status.DEAD,
) -> int:
    """Change rows that this transaction has locked, and report the end of each call.

    ``change`` gives the rows the status, and returns how many rows there were. Return that number.
    """
    calls = load_calls(rows.db, rows)
    count = change(rows)
    _report(rows.db, calls, WorkerLostError(text), status)
    return count


def _report(
    using: str, calls: Sequence[Call], error: WorkerLostError, status: OutboxCall.Status
) -> None:
    runners = {name: Runner(task) for name in {c.task for c in calls} if (task := find_task(name))}
    for call in calls:
        _log_on_commit(using, call, error, status)
        # Nobody knows whether an uncertain call failed, so that no failure is reported.
        if status == Status.DEAD and call.task in runners:
            report_failure(runners[call.task], call, error, status)


def _log_on_commit(
    using: str, call: Call, error: WorkerLostError, status: OutboxCall.Status
) -> None:
    fate = "it is a dead letter now" if status == Status.DEAD else "it is uncertain"

    # No functools.partial: Django asks a robust callback that raises for its __qualname__.
    def write_log() -> None:
        named = (call.task, call.id, fate, error)
        log_safely(logging.ERROR, "%s[%s]: %s: %s", *named, extra=log_fields(call))

    connections[using].on_commit(write_log, robust=True)
