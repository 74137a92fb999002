"""The health check of retention: rows that should have ended long ago."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from aftercommit.operations.health_checks import Findings, health_check
from core.retention.days import days_of
from core.retention.kinds import Kind, kinds

SLACK = timedelta(days=2)
"""So long after its days are over a row may be there before anybody is told."""


@health_check("retention")
def check_retention(using: str) -> Findings | None:
    """Return for how many days at most rows are overdue. Return None for another database."""
    here = [kind for kind in kinds().values() if kind.using == using]
    if not here:
        return None
    overdue = {kind.name: days for kind in here if (days := days_overdue(kind))}
    figures = {"days_overdue": max(overdue.values(), default=0)}
    return Findings(figures, notes=[_note(using, *each) for each in overdue.items()])


def days_overdue(kind: Kind) -> int:
    """Return how many days ago the oldest row should have ended, or 0 if that is within SLACK."""
    row: Any = kind.expired(SLACK).values_list(kind.field, Now()).first()
    return (row[1] - row[0]).days - (days_of(kind.name) or 0) if row else 0


def _note(using: str, name: str, days: int) -> str:
    return (
        f"Rows of {name!r} in {using!r} should have ended {days} days ago: RETENTION_DAYS has "
        f"{days_of(name)} for them. See that beat and a worker run, and what the worker logs of "
        "'core.retention.tasks.delete_expired'."
    )
