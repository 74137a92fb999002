"""Store the results of calls under the call's id, where Celery stores the results of tasks.

In django-celery-results' table, and in that of Django's tasks, a result is written in the
transaction of the effect. Any other backend gets it after the commit.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from billiard.einfo import ExceptionInfo
from celery.backends.base import DisabledBackend
from django.db import router, transaction

from aftercommit.call import Call
from aftercommit.worker.error_text import make_storable
from aftercommit.worker.request import CallRequest
from aftercommit.worker.transactions import can_commit

logger = logging.getLogger(__name__)

LOST = "%s[%s]: its result is lost"


def is_result_kept(task: Any, call: Call) -> bool:
    """Return whether the call's result is kept, as the call says or else its task.

    A batch has no result: the function returns one value for many calls.
    """
    if getattr(task, "batch", False):
        return False
    ignored = call.options.get("ignore_result", task.ignore_result)
    return not ignored and not isinstance(task.backend, DisabledBackend)


def is_error_kept(task: Any, call: Call) -> bool:
    """Return whether the error of a call that fails is kept, as its result would be.

    With ``store_errors_even_if_ignored`` it is kept though the result is not.
    """
    if not task.store_errors_even_if_ignored or getattr(task, "batch", False):
        return is_result_kept(task, call)
    return not isinstance(task.backend, DisabledBackend)


def written_together(task: Any) -> AbstractContextManager[Any]:
    """Return a block whose results are written at its end, if the task's backend can do that."""
    together = None if task.ignore_result else getattr(task.backend, "written_together", None)
    return together() if together else nullcontext()


def store_result(task: Any, request: CallRequest, result: Any) -> None:
    """Store what the function returned."""
    _store(task, request, partial(task.backend.mark_as_done, request.id, result, request))


def store_outside_result(task: Any, request: CallRequest, result: Any) -> None:
    """Store the result of an outside effect, in the transaction that marks its call.

    Raises only if the database is away. No other error is worth a second effect.
    """
    try:
        with transaction.atomic(using=request.outbox_calls[0].using):
            store_result(task, request, result)
    except Exception:
        if not can_commit(request.outbox_calls[0].using):
            raise
        logger.exception(LOST, task.name, request.id)


def store_error(task: Any, request: CallRequest, error: Any, info: ExceptionInfo) -> None:
    """Store the error of a call that is a dead letter."""
    store = partial(
        task.backend.mark_as_failure,
        request.id,
        error,
        make_storable(info.traceback or ""),
        request=request,
        call_errbacks=False,
    )
    _store(task, request, store)


def store_retry(task: Any, request: CallRequest, error: Any, info: ExceptionInfo) -> None:
    """Store the error of a call that is to be retried."""
    text = make_storable(info.traceback or "")
    store = partial(task.backend.mark_as_retry, request.id, error, text, request=request)
    _store(task, request, store)


def store_revoked(task: Any, request: CallRequest, reason: str) -> None:
    """Store that the call was not run, and never will be."""
    if is_result_kept(task, request.outbox_calls[0]):
        store = partial(task.backend.mark_as_revoked, request.id, reason, request=request)
        _store(task, request, store)


def _store(task: Any, request: CallRequest, store: Callable[[], Any]) -> None:
    using = request.outbox_calls[0].using
    if _commits_with_calls(task.backend, using):
        store()
        return
    transaction.on_commit(partial(_store_safely, task, request, store), using=using)


def _commits_with_calls(backend: Any, using: str) -> bool:
    """Return whether what the backend stores is a row in the database of the call."""
    if hasattr(backend, "written_together"):  # that of Django's tasks
        return True
    model = getattr(backend, "TaskModel", None)  # that of django-celery-results for databases
    return model is not None and router.db_for_write(model) == using


def _store_safely(task: Any, request: CallRequest, store: Callable[[], Any]) -> None:
    try:
        store()
    except Exception:
        logger.exception(LOST, task.name, request.id)
