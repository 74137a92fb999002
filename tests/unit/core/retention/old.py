"""Rows of every kind that expires, as old as a test wants them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone
from django_celery_results.models import GroupResult, TaskResult

from aftercommit.models import OutboxCall
from audit.models import AuditLog
from core.logins.models import FailedLogin
from core.retention.kinds import kinds
from notifications.models import Delivery
from tests.factories import UserFactory
from tests.people import make_user

MAKERS: dict[str, Callable[[str], models.Model]] = {
    "admin_log": lambda key: LogEntry.objects.create(
        user=UserFactory(), action_flag=1, object_repr=key
    ),
    "audit": lambda key: AuditLog.objects.create(
        model_label="x", object_id=key, object_repr=key, action="CREATE", changes={"values": {}}
    ),
    "deliveries": lambda key: Delivery.objects.create(
        key=key, kind="article_published", article_id=4711, status="sent"
    ),
    "dead_letters": lambda key: OutboxCall.objects.create(
        task=key, payload="[[], {}]", context="[]", status="dead"
    ),
    "logins": lambda key: FailedLogin.objects.create(at=timezone.now(), unknown=key),
    "results": lambda key: TaskResult.objects.create(task_id=key),
    "group_results": lambda key: GroupResult.objects.create(group_id=key),
    "session_records": lambda key: UserSession.objects.create(
        session_key=key, user=UserFactory(), ip="10.0.0.1", user_agent=key
    ),
    "sign_ups": lambda key: make_user(key, verified=False),
    "sessions": lambda key: Session.objects.create(
        session_key=key, session_data="", expire_date=timezone.now()
    ),
}
"""How a row of each kind is made. A new kind needs a line here."""


def days(name: str) -> Any:
    """After how many days rows of the kind end."""
    return settings.RETENTION_DAYS[name]


def make_old(name: str, days: float, key: str = "row", **values: Any) -> models.Model:
    """Return a row of the kind whose days began so many days ago."""
    kind, row = kinds()[name], MAKERS[name](key)
    values = {kind.field: timezone.now() - timedelta(days=days)} | values
    kind.model._base_manager.filter(pk=row.pk).update(**values)
    return row


def left(name: str) -> set[Any]:
    """Return the keys of the rows of the kind's model, without users whose account is closed."""
    rows = kinds()[name].model._base_manager.all()
    rows = rows.filter(is_active=True) if rows.model is User else rows
    return {*rows.values_list("pk", flat=True)}
