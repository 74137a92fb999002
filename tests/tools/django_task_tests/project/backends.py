"""The library's backend in the place of Django's two: with what only Django's tests ask for."""

from dataclasses import replace
from typing import Any

from aftercommit.contrib.tasks import OutboxBackend
from aftercommit.contrib.tasks.api import AnyResult, AnyTask
from aftercommit.worker.drain import drain_all


class StoredBackend(OutboxBackend):
    """Stands for the dummy backend, which runs nothing and shows what it was given."""

    @property
    def results(self) -> list[AnyResult]:
        """Return the results of the tasks in the outbox."""
        from aftercommit.models import OutboxCall

        ids = OutboxCall.objects.order_by("pk").values_list("pk", flat=True)
        return [self.get_result(str(pk)) for pk in ids]

    def clear(self) -> None:
        """Empty the outbox."""
        from aftercommit.models import OutboxCall

        OutboxCall.objects.all().delete()


class DrainedBackend(OutboxBackend):
    """Stands for the immediate backend: a worker's drain runs the task before ``enqueue`` returns.

    It tries a task once, as Django's backend does.
    """

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.outbox_options = replace(self.outbox_options, of_task=(("max_retries", 0),))

    def enqueue(self, task: AnyTask, args: Any, kwargs: Any) -> Any:
        """Enqueue the task, run it, and return its result."""
        result = super().enqueue(task, args, kwargs)
        drain_all()
        result.refresh()
        return result
