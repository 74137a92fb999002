"""Results of tasks as rows, and rows as results of tasks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.contrib.tasks.api import (
    AnyResult,
    AnyTask,
    TaskError,
    TaskResult,
    TaskResultStatus,
)
from aftercommit.db.bulk import write_rows

if TYPE_CHECKING:
    from aftercommit.contrib.tasks.models import TaskRecord

LABEL = "aftercommit_tasks"

NOW = Now()  # one for all rows: to make one for each costs 9% of what a result costs

TIMES = ("enqueued_at", "started_at", "last_attempted_at", "finished_at")


def is_table_installed() -> bool:
    """Return whether the app with the table of results is installed."""
    return apps.is_installed("aftercommit.contrib.tasks")


def records(using: str) -> "QuerySet[TaskRecord]":
    """Return the table of results in this database."""
    model: Any = apps.get_model(LABEL, "TaskRecord")
    rows: QuerySet[TaskRecord] = model.objects.using(using)
    return rows


def write_records(using: str, name: str, results: Sequence[AnyResult]) -> None:
    """Write results of one task with one statement, in the place of earlier ones of the same id."""
    model = records(using).model
    write_rows(model, {result.id: _values(name, result) for result in results}, using)


def _values(name: str, result: AnyResult) -> dict[str, Any]:
    return {
        "task": name,
        "backend": result.backend,
        "status": result.status,
        "payload": json.dumps([result.args, result.kwargs]),
        "return_value": json.dumps(getattr(result, "_return_value", None)),
        "errors": json.dumps([asdict(error) for error in result.errors]),
        "worker_ids": json.dumps(result.worker_ids),
        "run_after": result.task.run_after,
        "stored_at": NOW,
        **{each: getattr(result, each) for each in TIMES},
    }


def read_record(task: AnyTask, row: "TaskRecord") -> AnyResult:
    """Return the row as a result of the task."""
    args, kwargs = json.loads(row.payload)
    result = new_result(
        task if row.run_after is None else task.using(run_after=row.run_after),
        row.pk,
        (args, kwargs),
        errors=[TaskError(**each) for each in json.loads(row.errors)],
        worker_ids=json.loads(row.worker_ids),
        status=TaskResultStatus(row.status),
        **{each: getattr(row, each) for each in TIMES},
    )
    object.__setattr__(result, "_return_value", json.loads(row.return_value))
    return result


def new_result(
    task: AnyTask,
    pk: str,
    arguments: tuple[Iterable[Any], dict[str, Any]],
    enqueued_at: datetime | None,
    **changes: Any,
) -> AnyResult:
    """Return the result of a task that is ready, with these changes."""
    args, kwargs = arguments
    values: dict[str, Any] = {
        "status": TaskResultStatus.READY,
        "started_at": None,
        "last_attempted_at": None,
        "finished_at": None,
        "errors": [],
        "worker_ids": [],
        **changes,
    }
    return TaskResult(
        task=task,
        id=pk,
        args=list(args),
        kwargs=dict(kwargs),
        backend=task.backend,
        enqueued_at=enqueued_at,
        **values,
    )
