"""The outcomes of tasks: their rows, and the signal that a task has finished.

For Celery this is a result backend. So a result is written wherever the worker writes the result of
a call: in the transaction of the effect, or in the one that records its failure.
"""

from functools import partial
from typing import Any

from celery import states
from celery.backends.base import BaseBackend
from django.db import transaction

from aftercommit.contrib.tasks.api import AnyResult, TaskResultStatus, task_finished
from aftercommit.contrib.tasks.functions import find_cause
from aftercommit.contrib.tasks.options import BackendOptions
from aftercommit.contrib.tasks.records import is_table_installed, write_record
from aftercommit.contrib.tasks.runs import describe_run, end_run, find_run, forget_run

STATUSES = {states.SUCCESS: TaskResultStatus.SUCCESSFUL, states.RETRY: TaskResultStatus.READY}
"""The statuses for states of Celery. Any other state is a failure."""


class Outcomes(BaseBackend):
    """Celery's result backend of one task of Django's."""

    app: Any

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Write how a run ended, and tell of it once that is committed.

        ``result`` is what the function returned, or its error.
        """
        task: Any = self.app.tasks[request.task]
        options = task.backend_options
        using = options.database
        if calls := request.get("outbox_calls"):
            using = calls[0].using
        keeps = keeps_results(options)
        begun = find_run(task_id) or describe_run(task.django_task, request, keeps)
        ended = end_run(begun, STATUSES.get(state, TaskResultStatus.FAILED), result)
        if keeps:
            write_record(using, task.name, ended)
        told = partial(_tell, ended, result)
        transaction.on_commit(told, using=using, robust=True)
        return result


def keeps_results(options: BackendOptions) -> bool:
    """Return whether the results of the backend with these options are kept."""
    return is_table_installed() if options.results is None else options.results


def _tell(ended: AnyResult, value: Any) -> None:
    """Send the signal that the task has finished, within an exception handler if it failed."""
    forget_run(ended.id)
    if not ended.is_finished:
        return
    sender = type(ended.task.get_backend())
    if not isinstance(value, BaseException):
        task_finished.send_robust(sender, task_result=ended)
        return
    try:
        raise find_cause(value)
    except BaseException:  # noqa: BLE001  # Receivers look at the exception that is handled.
        task_finished.send_robust(sender, task_result=ended)
