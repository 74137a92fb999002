"""Define the library's own tasks: one that wake-ups start, and one that starts a canvas."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import Task, current_app, shared_task
from celery.canvas import maybe_signature
from celery.signals import worker_init

from aftercommit.outbox.calling import START
from aftercommit.outbox.task import OutboxTask, find_task
from aftercommit.outbox.wake_message import DRAIN, is_overtaken, total_limits
from aftercommit.worker.drain import drain_task
from aftercommit.worker.due import oldest_age
from aftercommit.worker.summary import DrainSummary


# Acknowledge the message before the drain runs, whatever CELERY_TASK_ACKS_LATE says. A wake-up that
# is lost costs nothing, because the sweep finds its calls. Acknowledged late, a connection to the
# broker that is lost would cut off the mail that is being sent.
@shared_task(bind=True, base=Task, name=DRAIN, acks_late=False, ignore_result=True, max_retries=0)
def drain(self: Any, task: str, using: str) -> dict[str, Any]:
    """Settle the task's due calls in database ``using``; return the numbers, for the log."""
    found, summary = _find_task(task, using), DrainSummary()
    if found is not None and not is_overtaken(using, task, self.request.headers or {}):
        summary = drain_task(found, using, message=self.request)
    return {"task": task, **summary.as_result()}


@worker_init.connect
def worker_init_free_drains(sender: Any, **kwargs: Any) -> None:
    """Keep what a project says of all its tasks from drains. It holds for calls.

    ``CELERY_TASK_DEFAULT_RATE_LIMIT`` would hold back the wake-ups of all tasks, and ``acks_late``
    in CELERY_TASK_ANNOTATIONS would have a lost broker cut off the mail that is being sent. The
    worker's time limits would end a drain in a call that has time left.
    """
    task = sender.app.tasks[DRAIN]
    task.rate_limit, task.acks_late = None, False
    task.time_limit, task.soft_time_limit = total_limits(
        getattr(sender, "time_limit", None), getattr(sender, "soft_time_limit", None)
    )


def _find_task(name: str, using: str) -> Any:
    """Return the task that a message names. One that needs an import must have due calls.

    A message comes from outside. What is imported, the database alone says.
    """
    known = current_app.tasks.get(name)
    return known or (find_task(name) if oldest_age(using, name) is not None else None)


@shared_task(base=OutboxTask, name=START, atomic=False, ignore_result=True)
def start(
    signature: dict[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> None:
    """Send a canvas to the broker, with these arguments. From there on Celery runs it."""
    canvas: Any = maybe_signature(signature, app=current_app)
    canvas.apply_async(tuple(args), kwargs or {})
