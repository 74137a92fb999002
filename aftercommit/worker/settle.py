"""Settling: a call's end. Its row is deleted, or says when it is tried again or why it is dead."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.db import Error, connections, transaction
from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.task_options import Options
from aftercommit.worker.database_errors import is_transient
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
) -> Outcome:
    """Record that the call failed. Return the outcome: a later time, or the end as a dead letter.

    Raises only what says that the call's database is out of order. Whatever else raises here is
    logged, and the call has had an attempt. Otherwise its row would stay the first of its task for
    ever.
    """
    options, guard, outcome = Options.of(task), Guard(call), None
    try:
        # What fails must not spoil what comes after it: an error's text can be made by a query.
        with transaction.atomic(using=rows.db):
            outcome = decide(rows.db, call, task, options, error, guard)
            recorded = outcome.write(rows)
    except Exception as failure:
        if outcome is None or is_transient(failure):
            raise
        # To log it can ask the database, too: the call's error is in the context of the failure.
        with suppress(Error), transaction.atomic(using=rows.db):
            guard.note("be recorded in full", failure)
        outcome = reduce_outcome(outcome, call, guard)
        recorded = outcome.write(rows)
    _log_on_commit(rows.db, call, options, error, outcome if recorded else None)
    return outcome


def _log_on_commit(
    using: str, call: Call, options: Options, error: BaseException, outcome: Outcome | None
) -> None:
    """Log the outcome once it is committed. It is None if another process has taken the call."""
    level, fate = (outcome.level, outcome.fate) if outcome else (logging.WARNING, TAKEN)

    def write_log() -> None:
        log_failure(call, options.max_retries, error, level, fate)

    # If the transaction rolls back, the failure isn't recorded, and another run logs it.
    connections[using].on_commit(write_log, robust=True)
