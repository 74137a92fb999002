"""Telling of a call that failed: Celery's hooks and signals, its result, and an event for Flower.

All of it belongs to the transaction that records the failure. None of it can keep the failure from
being recorded.
"""

import logging
from typing import Any

from billiard.einfo import ExceptionInfo
from celery import signals, states
from celery.exceptions import Retry
from django.db import transaction

from aftercommit.call import Call, CallError
from aftercommit.models import OutboxCall
from aftercommit.worker import results, task_events
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.loading import rows_of
from aftercommit.worker.request import CallRequest
from aftercommit.worker.runner import Expired, Runner
from aftercommit.worker.settle import settle_failed
from aftercommit.worker.summary import DrainSummary

logger = logging.getLogger(__name__)


def settle_failure(runner: Runner, summary: DrainSummary, call: Call, error: BaseException) -> None:
    """Record a failure, count it and report it, all in the transaction that is open."""
    rows = rows_of(call)
    if isinstance(error, Expired):
        summary.expired += bool(rows._raw_delete(call.using))
        report_expired(runner, call, error)
        return
    status = settle_failed(rows, call, runner.task, error)
    summary.count_failed(status, call, error)
    report_failure(runner, call, error, status)


def report_failure(
    runner: Runner, call: Call, error: BaseException, status: OutboxCall.Status
) -> None:
    """Tell everybody who watches tasks that the call failed, and is dead or to be retried."""
    try:
        request = _request_of(runner, call)
        retried = status == OutboxCall.Status.PENDING
        if runner.watched or results.is_result_kept(runner.task, call):
            info = _describe(error)
            with transaction.atomic(using=call.using), runner.current(request):
                _tell(runner, request, error, info, retried)
        task_events.send_failure(runner, call, error, retried)
    except Exception as problem:
        if is_transient(problem):
            raise  # nothing is recorded either: the batch is tried again
        logger.exception("%s[%s]: not everybody was told that it failed", call.task, call.id)


def _describe(error: BaseException) -> ExceptionInfo:
    """Return what Celery's hooks get; of an error that nobody has raised with a traceback too."""
    if error.__traceback__ is None:
        try:
            raise error
        except BaseException as raised:  # noqa: BLE001  # itself
            error = raised
    return ExceptionInfo((type(error), error, error.__traceback__))


def _request_of(runner: Runner, call: Call) -> CallRequest:
    if not hasattr(call, "options"):
        try:
            call.decode()
        except CallError:
            # There is no argument to tell of.
            call.args, call.kwargs, call.options = [], {}, {}
    if runner.options.batch:
        return runner.request_of([call], [[call]], {})
    return runner.request_of([call], call.args, call.kwargs)


def _tell(
    runner: Runner, request: CallRequest, error: Any, info: ExceptionInfo, retried: bool
) -> None:
    task, about = runner.task, (request.id, request.args, request.kwargs)
    state = states.RETRY if retried else states.FAILURE
    if retried:
        reason = error if isinstance(error, Retry) else Retry(exc=error)
        cause = reason.exc or error
        if results.is_result_kept(task, request.outbox_calls[0]):
            results.store_retry(task, request, cause, info)
        task.on_retry(cause, *about, info)
        signals.task_retry.send(sender=task, request=request, reason=reason, einfo=info)
    else:
        if results.is_result_kept(task, request.outbox_calls[0]):
            results.store_error(task, request, error, info)
        task.on_failure(error, *about, info)
        signals.task_failure.send(
            sender=task,
            task_id=request.id,
            exception=error,
            args=request.args,
            kwargs=request.kwargs,
            traceback=error.__traceback__,
            einfo=info,
        )
    task.after_return(state, error, *about, info)
    if runner.watched and runner.traced is None:
        runner.send(signals.task_postrun, request, retval=error, state=state)


def report_expired(runner: Runner, call: Call, error: BaseException) -> None:
    """Tell that a call was not run, since it was too late: as Celery does of a message."""
    logger.warning("%s", error, extra={"task": call.task, "call_id": call.id})
    _tell_unrun(runner, call, "expired")


def report_revoked(runner: Runner, call: Call) -> None:
    """Tell that a call will not be run, since somebody took it back."""
    _tell_unrun(runner, call, "revoked")


def _tell_unrun(runner: Runner, call: Call, reason: str) -> None:
    try:
        request = _request_of(runner, call)
        with transaction.atomic(using=call.using), runner.current(request):
            results.store_revoked(runner.task, request, reason)
            signals.task_revoked.send(
                sender=runner.task,
                request=request,
                terminated=False,
                signum=None,
                expired=reason == "expired",
            )
    except Exception:
        logger.exception("%s[%s]: not everybody was told: %s", call.task, call.id, reason)
