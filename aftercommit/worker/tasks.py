"""The tasks of the library itself: the one that wake-ups call, and the one that starts a canvas."""

from typing import Any

from celery import Task, current_app, shared_task
from celery.canvas import maybe_signature

from aftercommit.outbox.calling import START
from aftercommit.outbox.task import OutboxTask, find_task
from aftercommit.outbox.turns import is_overtaken
from aftercommit.outbox.wake import DRAIN
from aftercommit.worker.drain import drain_task
from aftercommit.worker.summary import DrainSummary


# Acknowledged before it runs, whatever the project's CELERY_TASK_ACKS_LATE says: a wake-up that is
# lost is found by the sweep, and a mail that is being sent is not cut off with the connection.
@shared_task(bind=True, base=Task, name=DRAIN, acks_late=False, ignore_result=True, max_retries=0)
def drain(self: Any, task: str, using: str) -> dict[str, Any]:
    """Settle what is due of the task in database ``using``; return what was done, for the log."""
    found, report = find_task(task), DrainSummary()
    if found is not None and not is_overtaken(using, task, self.request.headers or {}):
        report = drain_task(found, using, message=self.request)
    return {"task": task, **report.as_result()}


@shared_task(base=OutboxTask, name=START, atomic=False, ignore_result=True)
def start(signature: dict[str, Any]) -> None:
    """Send a canvas to the broker, where it is Celery's."""
    canvas: Any = maybe_signature(signature, app=current_app)
    canvas.apply_async()
