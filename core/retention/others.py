"""The kinds of rows whose models are not the site's own: results, sessions, dead letters."""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
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


def over(records: Rows) -> Rows:
    """Return the records of sessions that are over. Sessions in a cache can't be looked up."""
    if not settings.SESSION_ENGINE.endswith("db"):
        return records.none()
    return records.exclude(Exists(Session.objects.filter(pk=OuterRef("session_key"))))


register_kind(Kind("admin_log", LogEntry, "action_time"))
register_kind(Kind("session_records", UserSession, "last_seen_at", over))
register_kind(Kind("results", TaskResult, "date_done"))
register_kind(Kind("group_results", GroupResult, "date_done"))
register_kind(Kind("sessions", Session, "expire_date"))
register_kind(Kind("dead_letters", OutboxCall, "available_at", held, discard))
