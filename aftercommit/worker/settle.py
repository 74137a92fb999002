"""Settling: a call's end. Its row is deleted, or says when it is tried again or why it is dead."""

import logging
from collections.abc import Iterable
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.task_options import Options
from aftercommit.worker.decision import Guard, decide, reduce_outcome
from aftercommit.worker.logs import log_failure
from aftercommit.worker.outcome import Outcome
from aftercommit.worker.rows import delete_rows

TAKEN = "failed, but another process has taken the call"


def settle_done(using: str, calls: Iterable[Call]) -> int:
    """Delete the rows of calls that are done. Return how many calls there were."""
    ids = [call.pk for call in calls]
    delete_rows(OutboxCall, using, ids)
    return len(ids)


def settle_failed(
    rows: QuerySet[OutboxCall], call: Call, task: Any, error: BaseException
) -> OutboxCall.Status:
    """Record that the call failed. Return its status: PENDING, with a later time, or DEAD.

    Raises only what says that a database is out of order. Whatever else raises here is logged, and
    the call has had an attempt. Otherwise its row would stay the first of its task for ever.
    """
    options, guard = Options.of(task), Guard(call)
    outcome = decide(rows.db, call, task, options, error, guard)
    try:
        with transaction.atomic(using=rows.db):  # what fails must not spoil what comes after it
            recorded = outcome.write(rows)
    except Exception as failure:  # noqa: BLE001  # whatever it is, the call must be settled
        guard.note("be recorded in full", failure)
        outcome = reduce_outcome(outcome, call, error, guard)
        recorded = outcome.write(rows)
    _log_on_commit(rows.db, call, options, error, outcome if recorded else None)
    return outcome.status


def _log_on_commit(
    using: str, call: Call, options: Options, error: BaseException, outcome: Outcome | None
) -> None:
    """Log the outcome once it is committed. It is None if another process has taken the call."""
    level, fate = (outcome.level, outcome.fate) if outcome else (logging.WARNING, TAKEN)

    def write_log() -> None:
        log_failure(call, options.max_retries, error, level, fate)

    # If the transaction rolls back, the failure isn't recorded, and another run logs it.
    connections[using].on_commit(write_log, robust=True)
