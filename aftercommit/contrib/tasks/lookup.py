"""The result of a task, read from its call in the outbox and from the table of results."""

from dataclasses import replace
from typing import Any

from celery.app.task import Context
from django.db import connections
from django.utils import timezone

from aftercommit.call import Call, CallError
from aftercommit.contrib.tasks.api import (
    AnyResult,
    AnyTask,
    InvalidTask,
    TaskError,
    TaskResultDoesNotExist,
    TaskResultMismatch,
    TaskResultStatus,
)
from aftercommit.contrib.tasks.names import find_declared
from aftercommit.contrib.tasks.records import read_record, records
from aftercommit.contrib.tasks.runs import UNKNOWN, describe_run
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.eager import EagerCall
from aftercommit.outbox.pending import PendingCall
from aftercommit.outbox.record import CallRecord
from aftercommit.worker.loading import load_calls

LOST = "billiard.exceptions.WorkerLostError"
"""The error of a call whose process was lost. Nobody knows how the call ended."""

DIGITS = 19
"""The number of digits that the id of a call has at most."""

ENDED = (OutboxCall.Status.DEAD, OutboxCall.Status.UNCERTAIN)


def find_result(alias: str, using: str, pk: str) -> AnyResult:
    """Return the result of a task of the backend ``alias``, whose calls are in ``using``.

    Raises TaskResultDoesNotExist, and TaskResultMismatch for a task of another backend.
    """
    # The outbox first, since a call that ends in between has its result by then. The callbacks
    # last, since a test's transaction keeps those that have run.
    result = _find_in_outbox(using, pk) or _find_ended(using, pk) or _find_uncommitted(using, pk)
    if result is None:
        raise TaskResultDoesNotExist(pk)
    if result.backend != alias:
        raise TaskResultMismatch(f"{pk} is a task of backend {result.backend!r}, not {alias!r}")
    return result


def _find_uncommitted(using: str, pk: str) -> AnyResult | None:
    """Return the result of a task that this connection's transaction has enqueued."""
    for entry in connections[using].run_on_commit:
        callback: Any = entry[1]
        made = callback.record if isinstance(callback, EagerCall) else callback
        if isinstance(made, PendingCall) and made.id == pk:
            return _describe(_as_call(made))
    return None


def _as_call(made: CallRecord) -> Call:
    values = (made.pk, made.task, made.payload, made.raw_context)
    return Call(made.using, *values, attempts=0, crashes=0, created_at=timezone.now())


def _find_in_outbox(using: str, pk: str) -> AnyResult | None:
    if not pk.isdecimal() or len(pk) > DIGITS:
        return None
    rows = OutboxCall.objects.using(using).filter(pk=int(pk))
    row = rows.values("status", "error").first()
    calls = load_calls(using, rows) if row else []
    if row is None or not calls:
        return None
    result = _describe(calls[0])
    if row["status"] in ENDED:
        return _find_ended(using, pk) or replace(
            result,
            status=TaskResultStatus.FAILED,
            errors=[*result.errors, TaskError(exception_class_path=LOST, traceback=row["error"])],
        )
    if row["status"] == OutboxCall.Status.RUNNING:
        return replace(
            result, status=TaskResultStatus.RUNNING, worker_ids=[*result.worker_ids, UNKNOWN]
        )
    return _find_in_batch(calls[0], result)


def _find_in_batch(call: Call, result: AnyResult) -> AnyResult:
    """Return the result as running if a worker's journal names its call, else as it is."""
    for batch in OutboxBatch.objects.using(call.using).filter(task=call.task):
        if call.pk in batch.calls:
            return replace(
                result,
                status=TaskResultStatus.RUNNING,
                started_at=result.started_at or batch.started_at,
                last_attempted_at=batch.started_at,
                worker_ids=[*result.worker_ids, batch.worker],
            )
    return result


def _find_ended(using: str, pk: str) -> AnyResult | None:
    if not pk.isprintable():
        return None  # PostgreSQL takes no NUL
    row = records(using).filter(pk=pk).first()
    if row is None:
        return None
    result = read_record(_task_named(row.task, pk), row)
    if result.status == TaskResultStatus.READY:
        # It failed, and then its call was taken from the outbox before another attempt.
        return replace(result, status=TaskResultStatus.FAILED)
    return result


def _describe(call: Call) -> AnyResult:
    """Return the result of a call that has not ended."""
    task = _task_named(call.task, call.id)
    try:
        call.decode()
    except CallError as error:
        raise TaskResultDoesNotExist(f"{call.id}: {error}") from error
    request = Context(
        id=call.id,
        args=call.args,
        kwargs=call.kwargs,
        headers=call.options.get("headers") or {},
        retries=call.attempts,
        outbox_calls=[call],
    )
    return describe_run(task, request, keeps_results=True)


def _task_named(name: str, pk: str) -> AnyTask:
    try:
        return find_declared(name)
    except InvalidTask as error:
        raise TaskResultDoesNotExist(f"{pk}: {error}") from error
