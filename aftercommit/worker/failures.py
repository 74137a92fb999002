"""Record a call that failed, and report it: to Celery's hooks and signals, its result, and Flower.

All of it belongs to the transaction that records the failure. No error in a report can keep the
failure from being recorded.
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
from aftercommit.worker.expiry import Expired
from aftercommit.worker.listeners import send_signal
from aftercommit.worker.loading import rows_of
from aftercommit.worker.request import CallRequest
from aftercommit.worker.runner import Runner
from aftercommit.worker.settle import settle_failed
from aftercommit.worker.summary import DrainSummary
from aftercommit.worker.transactions import can_commit

logger = logging.getLogger(__name__)


def settle_failure(runner: Runner, summary: DrainSummary, call: Call, error: BaseException) -> None:
    """Record a failure, count it and report it, all in the transaction that is open."""
    rows = rows_of(call)
    if isinstance(error, Expired):
        summary.expired += bool(rows._raw_delete(call.using))
        report_expired(runner, call, error)
        return
    outcome = settle_failed(rows, call, runner.task, error)
    summary.count_failed(outcome, call, error)
    report_failure(runner, call, error, outcome.status)


def report_failure(
    runner: Runner, call: Call, error: BaseException, status: OutboxCall.Status
) -> None:
    """Report to all who watch tasks that the call failed, and is dead or to be retried."""
    try:
        request = _build_request(runner, call)
        is_retried = status == OutboxCall.Status.PENDING
        if runner.has_listeners or results.is_error_kept(runner.task, call):
            with transaction.atomic(using=call.using), runner.as_current(request):
                _report_handled(runner, request, error, is_retried)
        task_events.send_failure(runner, call, error, is_retried)
    except Exception:
        if not can_commit(call.using):
            raise  # The failure is not recorded either: the batch is tried again.
        logger.exception("%s[%s]: not everybody was told that it failed", call.task, call.id)


def _report_handled(
    runner: Runner, request: CallRequest, error: BaseException, is_retried: bool
) -> None:
    """Report the error while it is the one that is handled, as Celery does.

    Error trackers' handlers ask for it by ``sys.exc_info()``.
    """
    context = error.__context__
    try:
        raise error
    except BaseException:  # noqa: BLE001  # It is the same error.
        error.__context__ = context  # To raise it again within another's handling hides its own.
        info = ExceptionInfo((type(error), error, error.__traceback__))
        report = _report_retry if is_retried else _report_dead
        report(runner, request, error, info)


def _build_request(runner: Runner, call: Call) -> CallRequest:
    if not hasattr(call, "options"):
        try:
            call.decode()
        except CallError:
            # A call that can't be read is reported without its arguments.
            call.args, call.kwargs, call.options = [], {}, {}
    if runner.options.batch:
        return runner.build_request([call], [[call]], {})
    return runner.build_request([call], call.args, call.kwargs)


def _report_retry(runner: Runner, request: CallRequest, error: Any, info: ExceptionInfo) -> None:
    task = runner.task
    reason = error if isinstance(error, Retry) else Retry(exc=error)
    if results.is_error_kept(task, request.outbox_calls[0]):
        results.store_retry(task, request, reason.exc or error, info)
    task.on_retry(reason.exc or error, request.id, request.args, request.kwargs, info)
    signals.task_retry.send(sender=task, request=request, reason=reason, einfo=info)
    _report_end(runner, request, error, info, states.RETRY)


def _report_dead(runner: Runner, request: CallRequest, error: Any, info: ExceptionInfo) -> None:
    task = runner.task
    if results.is_error_kept(task, request.outbox_calls[0]):
        results.store_error(task, request, error, info)
    task.on_failure(error, request.id, request.args, request.kwargs, info)
    signals.task_failure.send(
        sender=task,
        task_id=request.id,
        exception=error,
        args=request.args,
        kwargs=request.kwargs,
        traceback=error.__traceback__,
        einfo=info,
    )
    _report_end(runner, request, error, info, states.FAILURE)


def _report_end(
    runner: Runner, request: CallRequest, error: Any, info: ExceptionInfo, state: str
) -> None:
    runner.task.after_return(state, error, request.id, request.args, request.kwargs, info)
    if runner.has_listeners and runner.tracer is None:  # The tracer has sent the signal.
        send_signal(signals.task_postrun, runner.task, request, retval=error, state=state)


def report_expired(runner: Runner, call: Call, error: BaseException) -> None:
    """Report that a call was too late to be run, as Celery does for a message."""
    logger.warning("%s", error, extra={"task": call.task, "call_id": call.id})
    _report_not_run(runner, call, "expired")


def report_revoked(runner: Runner, call: Call) -> None:
    """Report that a call will not be run, because somebody revoked it."""
    _report_not_run(runner, call, "revoked")


def _report_not_run(runner: Runner, call: Call, reason: str) -> None:
    try:
        request = _build_request(runner, call)
        with transaction.atomic(using=call.using), runner.as_current(request):
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
