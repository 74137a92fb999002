"""Which tasks the live workers have, and what arguments each takes, as their heartbeats say.

In a rolling deploy, and where two services share a database, this process's code isn't the only
one. A call that it can't run waits for a worker that can, OUTBOX_UNKNOWN_TASK_GRACE seconds long.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from celery import current_app
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.outbox.call import Call
from aftercommit.outbox.options import Options
from aftercommit.outbox.task import find_task
from aftercommit.worker.heartbeat import Tasks, stale_seconds

SOONEST = 1.0
"""Seconds until a call that doesn't fit is looked at for the second time."""

WAITED = ExpressionWrapper(Now() - F("misfit_since"), output_field=DurationField())


def known_tasks() -> Tasks:
    """Return the tasks that this process's code has, as a worker announces them."""
    return _signatures_of(tuple(sorted(current_app.tasks)))


@lru_cache(maxsize=1)  # each heartbeat asks, and hardly ever is there a task more
def _signatures_of(names: tuple[str, ...]) -> Tasks:
    tasks = {name: find_task(name) for name in names if not name.startswith("celery.")}
    return {name: signature_of(task) for name, task in tasks.items() if task}


def signature_of(task: Any) -> str | None:
    """Return the arguments that the task's function takes, as text; None if nothing is checked."""
    if not task.typing or Options.of(task).batch:
        return None
    try:
        signature = inspect.signature(task.run)
    except (TypeError, ValueError):  # of a callable that Python can't look into
        return None
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def is_known_elsewhere(using: str, name: str) -> bool:
    """Return whether a worker that lives, or did until now, has announced the task.

    "Until now" is OUTBOX_UNKNOWN_TASK_GRACE: a worker that was stopped is about to be started
    again. A worker of a version that announces nothing may have any task.
    """
    grace = timedelta(seconds=conf().UNKNOWN_TASK_GRACE)
    return _has(OutboxWorker.objects.using(using).filter(seen_at__gt=Now() - grace), name)


def is_known_to_the_living(using: str, name: str) -> bool:
    """Return whether a worker that lives now has announced the task."""
    return _has(_living(using), name)


def _living(using: str) -> QuerySet[OutboxWorker]:
    live = timedelta(seconds=stale_seconds())
    return OutboxWorker.objects.using(using).filter(ended_at=None, seen_at__gt=Now() - live)


def _has(workers: QuerySet[OutboxWorker], name: str) -> bool:
    announced = workers.values_list("tasks", flat=True)
    return any(tasks is None or name in tasks for tasks in announced)


def signatures(using: str, name: str) -> list[str]:
    """Return the arguments that the task takes, a text for each version that a worker has."""
    return sorted(set(_signatures(name, _living(using).values_list("tasks", flat=True))))


def _signatures(name: str, announced: Iterable[Tasks | None]) -> Iterable[str]:
    for tasks in announced:
        if tasks is not None and name in tasks:
            yield tasks[name] or "(any)"


@dataclass(frozen=True)
class Misfit:
    """What becomes of a call whose arguments this code's function doesn't take."""

    text: str
    seconds: float | None = None
    """Until when the call is put off. If None, its time is over: it is a dead letter."""


def judge_misfit(using: str, call: Call, task: Any, error: BaseException) -> Misfit:
    """Return what becomes of a call whose arguments this code's function doesn't take.

    It waits for a worker whose function takes them, for OUTBOX_UNKNOWN_TASK_GRACE seconds since it
    was first found not to fit. It is looked at again less and less often, so that many such calls
    keep no worker busy.
    """
    row = OutboxCall.objects.using(using).filter(pk=call.pk)
    row.filter(misfit_since=None).update(misfit_since=Now())
    waited = row.annotate(waited=WAITED).values_list("waited", flat=True).first()
    grace = conf().UNKNOWN_TASK_GRACE
    seconds = waited.total_seconds() if waited is not None else 0.0
    if seconds < grace:
        text = f"It waits for a worker whose code takes its arguments. Here: {error}"
        return Misfit(text, max(SOONEST, seconds / 10))
    row.update(misfit_since=None)  # one that is retried waits anew
    return Misfit(_misfit_text(using, call, task, error, grace))


def _misfit_text(using: str, call: Call, task: Any, error: BaseException, grace: float) -> str:
    others = ", ".join(signatures(using, call.task)) or "none"
    return (
        f"{error}\n\nThe call was made by another version of the code, and for {grace:g} seconds "
        f"no worker had one that takes its arguments.\n"
        f"The call's arguments: {call.payload[:500]}\n"
        f"What {call.task} takes here: {signature_of(task) or '(any)'}\n"
        f"What it takes in the workers that live: {others}\n"
        "Give the function default values, or **old, so that it takes the call; then retry the "
        "call, or discard it."
    )
