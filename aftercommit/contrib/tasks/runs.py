"""One run of a task in a worker: its result while the task runs, and once it has ended."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from aftercommit.contrib.tasks.api import (
    AnyResult,
    AnyTask,
    TaskError,
    TaskResultStatus,
)
from aftercommit.contrib.tasks.functions import find_cause
from aftercommit.contrib.tasks.records import new_result, read_record, records
from aftercommit.worker.error_text import format_error

MOST = 1000
"""The number of runs that are remembered at most. A run without an outcome (its call is ignored)
would be remembered for ever."""

UNKNOWN = "unknown"
"""The worker of an earlier attempt where no results are kept."""

ENQUEUED_AT, RUN_AFTER = "enqueued_at", "run_after"
"""The headers by which a call knows these times of its task."""

_runs: dict[str, AnyResult] = {}
"""The results of the runs that have begun in this process, by id."""


def begin_run(task: AnyTask, request: Any, keeps_results: bool) -> AnyResult:
    """Return the result of a task that runs from now on."""
    result = describe_run(task, request, keeps_results)
    now = timezone.now()
    result = replace(
        result,
        status=TaskResultStatus.RUNNING,
        started_at=result.started_at or now,
        last_attempted_at=now,
        worker_ids=[*result.worker_ids, str(request.hostname)],
    )
    while len(_runs) >= MOST:
        _runs.pop(next(iter(_runs)), None)
    _runs[result.id] = result
    return result


def find_run(pk: str) -> AnyResult | None:
    """Return the result of the run with this id if it began in this process."""
    return _runs.get(pk)


def forget_run(pk: str) -> None:
    """Forget a run whose outcome is committed."""
    _runs.pop(pk, None)


def describe_run(task: AnyTask, request: Any, keeps_results: bool) -> AnyResult:
    """Return the result of a task that is ready, as its call and its earlier attempts say it."""
    headers = request.headers or {}
    if run_after := headers.get(RUN_AFTER):
        task = task.using(run_after=datetime.fromisoformat(run_after))
    arguments = (request.args, request.kwargs)
    result = new_result(task, request.id, arguments, _enqueued_at(request, headers))
    tries = request.retries or 0
    before = _find_earlier(task, request) if tries and keeps_results else result
    return replace(
        result,
        started_at=before.started_at,
        last_attempted_at=before.last_attempted_at,
        errors=before.errors[:tries],
        worker_ids=[*before.worker_ids, *[UNKNOWN] * tries][:tries],
    )


def _enqueued_at(request: Any, headers: Mapping[str, Any]) -> datetime | None:
    """Return when the task was enqueued. A call that Celery made itself doesn't say it."""
    if enqueued_at := headers.get(ENQUEUED_AT):
        return datetime.fromisoformat(enqueued_at)
    calls = request.get("outbox_calls")
    return calls[0].created_at if calls else None


def _find_earlier(task: AnyTask, request: Any) -> AnyResult:
    """Return the result as an earlier attempt has left it, or one without any attempts."""
    calls = request.get("outbox_calls")
    row = records(calls[0].using).filter(pk=request.id).first() if calls else None
    return read_record(task, row) if row else new_result(task, request.id, ([], {}), None)


def end_run(result: AnyResult, status: TaskResultStatus, value: Any) -> AnyResult:
    """Return the result of a run that ended with this value, or with this error."""
    is_failed = isinstance(value, BaseException)
    errors = [*result.errors, describe_error(value)] if is_failed else result.errors
    finished_at = None if status == TaskResultStatus.READY else timezone.now()
    ended = replace(result, status=status, errors=errors, finished_at=finished_at)
    if not is_failed:
        object.__setattr__(ended, "_return_value", value)
    return ended


def describe_error(error: BaseException) -> TaskError:
    """Return the error as results of tasks have it."""
    cause = find_cause(error)
    path = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return TaskError(exception_class_path=path, traceback=format_error(cause))
