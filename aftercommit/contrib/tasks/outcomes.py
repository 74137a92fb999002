"""The outcomes of tasks: their rows, and the signal that a task has finished.

For Celery this is a result backend. So a result is written wherever the worker writes the result of
a call: in the transaction of the effect, or in the one that records its failure.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import local
from typing import Any

from celery import states
from celery.backends.base import BaseBackend
from django.db import transaction

from aftercommit.contrib.tasks.api import AnyResult, TaskResultStatus, task_finished
from aftercommit.contrib.tasks.functions import find_cause
from aftercommit.contrib.tasks.options import BackendOptions
from aftercommit.contrib.tasks.records import is_table_installed, write_records
from aftercommit.contrib.tasks.runs import describe_run, end_run, find_run, forget_run

STATUSES = {states.SUCCESS: TaskResultStatus.SUCCESSFUL, states.RETRY: TaskResultStatus.READY}
"""The statuses for states of Celery. Any other state is a failure."""


class Outcomes(BaseBackend):
    """Celery's result backend of one task of Django's."""

    app: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = local()  # a worker's threads share this backend

    @contextmanager
    def written_together(self) -> Iterator[None]:
        """Write the results of this block's runs at its end, with one statement.

        They are those of a batch, which all commit together. The block of one that fails writes
        nothing.
        """
        waiting: dict[tuple[str, str], list[AnyResult]] = {}
        self._waiting.results = waiting
        try:
            yield
        finally:
            self._waiting.results = None
        for (using, name), results in waiting.items():
            write_records(using, name, results)

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
            self._write(using, task.name, ended)
        told = partial(_tell, ended, result)
        transaction.on_commit(told, using=using, robust=True)
        return result

    def _write(self, using: str, name: str, ended: AnyResult) -> None:
        waiting = getattr(self._waiting, "results", None)
        if waiting is None:
            write_records(using, name, [ended])
        else:
            waiting.setdefault((using, name), []).append(ended)


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
