"""The backend that TASKS names: ``enqueue()`` is a durable call, stored with the transaction."""

import inspect
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage
from django.db import transaction
from django.utils import timezone

from aftercommit.contrib.tasks.api import (
    AnyResult,
    AnyTask,
    BaseTaskBackend,
    InvalidTask,
    Task,
    normalize_json,
    task_enqueued,
)
from aftercommit.contrib.tasks.celery_task import celery_task_of
from aftercommit.contrib.tasks.names import declared
from aftercommit.contrib.tasks.options import BackendOptions
from aftercommit.contrib.tasks.outcomes import keeps_results
from aftercommit.contrib.tasks.records import new_result
from aftercommit.contrib.tasks.runs import ENQUEUED_AT, RUN_AFTER
from aftercommit.outbox.call_options import check_time
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.eager import is_eager


class OutboxBackend(BaseTaskBackend):
    """Tasks whose calls commit with the transaction that enqueues them, or not at all.

    A Celery worker runs the tasks. Each appears under its own path: in the outbox, in Flower, in
    logs and in health.
    """

    supports_defer = True
    supports_async_task = True
    supports_priority = False

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.outbox_options = BackendOptions.of(alias, params)

    @property
    def supports_get_result(self) -> bool:  # type: ignore[override]  # the apps decide
        """Return whether results are kept."""
        return keeps_results(self.outbox_options)

    def validate_task(self, task: AnyTask) -> None:
        """Raise InvalidTask if the backend can't run the task."""
        if not isinstance(task, Task):
            raise InvalidTask(
                f"{task!r} is a task of {type(task).__module__}, and this project's tasks are "
                f"those of {Task.__module__}. Import its decorator."
            )
        super().validate_task(task)
        declared.setdefault(task.module_path, task)
        if is_generator(task.func):
            raise InvalidTask(
                f"{task.module_path} is a generator function: a worker would call it and run "
                "nothing of it. Write a plain function or a coroutine function."
            )
        if task.run_after is not None:
            try:
                check_time(task.module_path, None, make_aware(task.run_after))
            except TypeError as error:
                raise InvalidTask(f"run_after: {error}") from None

    def enqueue(self, task: AnyTask, args: Any, kwargs: Any) -> Any:
        """Have the task run if the current transaction commits. Return its result, which is ready.

        Raises InvalidTask for a task that a worker could not run, and TypeError for arguments that
        JSON can't carry or that the task's function doesn't take.
        """
        self.validate_task(task)
        celery_task = celery_task_of(task, self.outbox_options)
        arguments = normalize_json(list(args)), normalize_json(dict(kwargs))
        with self._eager_block(celery_task):
            result = self._call(task, celery_task, arguments)
            task_enqueued.send_robust(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> AnyResult:
        """Return the result of a task that this backend has been given.

        Raises TaskResultDoesNotExist if there is none, and TaskResultMismatch if it is that of a
        task of another backend.
        """
        if not self.supports_get_result:
            super().get_result(result_id)
        from aftercommit.contrib.tasks.lookup import find_result  # needs the models

        return find_result(self.alias, self.outbox_options.database, str(result_id))

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Return a message for each thing that would keep tasks from being durable."""
        from aftercommit.contrib.tasks.checks import check_backend  # not before the apps are loaded

        return check_backend(self.alias, self.queues, self.outbox_options)

    def _call(self, task: AnyTask, celery_task: Any, arguments: tuple[Any, Any]) -> AnyResult:
        now, run_after = timezone.now(), task.run_after
        headers = {ENQUEUED_AT: now.isoformat()}
        if run_after is not None:
            headers[RUN_AFTER] = run_after.isoformat()
        call = call_on_commit(
            celery_task,
            *arguments,
            using=self.outbox_options.database,
            eta=None if run_after is None else make_aware(run_after),
            headers=headers,
        )
        return new_result(task, call.id, arguments, now)

    def _eager_block(self, celery_task: Any) -> Any:
        """Return a block in which a call of Celery's eager mode does not run yet.

        So its receivers are told in the right order.
        """
        eager = is_eager(celery_task)
        return transaction.atomic(self.outbox_options.database) if eager else nullcontext()


def is_generator(function: Any) -> bool:
    """Return whether calling the function, or awaiting its call, runs none of its code."""
    function = inspect.unwrap(function)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def make_aware(time: datetime) -> datetime:
    """Return the time with a time zone: of the settings, where USE_TZ is off."""
    return timezone.make_aware(time) if timezone.is_naive(time) else time
