"""Questions about the calls that are due: which, and since when."""

from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F, Min, QuerySet
from django.db.models.functions import Now

from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall

AGE = ExpressionWrapper(Now() - F("available_at"), output_field=DurationField())


def due_calls(using: str, task: str) -> QuerySet[OutboxCall]:
    """Return the task's calls that are due, oldest first, in the order of their index."""
    return outbox_ops(connections[using]).due_calls(task)


def due_ages(using: str) -> dict[str, float]:
    """Return the seconds since its oldest call became due, for each task that has due calls."""
    names = outbox_ops(connections[using]).pending_tasks()
    ages = {name: oldest_age(using, name) for name in names}
    return {name: age for name, age in ages.items() if age is not None}


def oldest_age(using: str, task: str) -> float | None:
    """Return the seconds since the task's oldest call became due. Return None if none is due."""
    age = due_calls(using, task).annotate(age=AGE).values_list("age", flat=True).first()
    return None if age is None else max(age.total_seconds(), 0.0)


def failing_calls(using: str) -> QuerySet[OutboxCall]:
    """Return the calls whose last attempt failed and that are to be tried again."""
    status = OutboxCall.Status
    return OutboxCall.objects.using(using).filter(
        failing_since__isnull=False, status__in=(status.PENDING, status.RUNNING)
    )


def failing_ages(using: str) -> dict[str, float]:
    """Return the seconds since its oldest failing call first failed, for each task that has some.

    A call that is tried each minute is never due for long. Only this age tells how late it is.
    """
    ages = failing_calls(using).values("task").annotate(age=Now() - Min("failing_since")).order_by()
    return {row["task"]: max(row["age"].total_seconds(), 0.0) for row in ages}
