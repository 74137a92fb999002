"""The kinds of rows whose models are not the site's own: results, sessions, dead letters."""

from django.contrib.sessions.models import Session
from django_celery_results.models import GroupResult, TaskResult

from aftercommit.models import OutboxCall
from aftercommit.operations.calls import DISCARD, HELD
from core.retention.kinds import Kind, Rows, register_kind


def held(calls: Rows) -> Rows:
    """Return the calls that are dead or uncertain. The others settle by themselves."""
    return calls.filter(status__in=HELD)


def discard(calls: Rows) -> None:
    """Discard the calls as an operator does: their receivers and the audit log are told."""
    DISCARD.run(calls.db, list(calls.values_list("pk", flat=True)))


register_kind(Kind("results", TaskResult, "date_done"))
register_kind(Kind("group_results", GroupResult, "date_done"))
register_kind(Kind("sessions", Session, "expire_date"))
register_kind(Kind("dead_letters", OutboxCall, "available_at", held, discard))
