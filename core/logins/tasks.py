"""Writes the record of failed log-ins."""

from collections.abc import Sequence

from celery import shared_task
from django.contrib.auth import get_user_model

from aftercommit.call import Call

from .models import FailedLogin


@shared_task(batch=True)
def record_failed_login(calls: Sequence[Call]) -> None:
    """Write a row for each call. A user who was deleted meanwhile is left out."""
    using = calls[0].using
    users = {call.kwargs["user_id"] for call in calls}
    there = {
        *get_user_model()
        ._base_manager.using(using)
        .filter(pk__in=users)
        .values_list("pk", flat=True)
    }
    rows = [FailedLogin(at=call.created_at, **call.kwargs) for call in calls]
    for row in rows:
        row.user_id = row.user_id if row.user_id in there else None
    FailedLogin.objects.using(using).bulk_create(rows)
