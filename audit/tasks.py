"""Writes the audit log."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType

from aftercommit.call import Call
from aftercommit.db.bulk import insert_rows

from .labels import name_unnamed
from .models import AuditLog
from .relations import name_related

COLUMNS = [field.attname for field in AuditLog._meta.concrete_fields if not field.primary_key]
"""The columns of an entry."""


@shared_task(batch=True)
def write_audit_logs(calls: Sequence[Call]) -> None:
    """Write an entry for each call, all with one statement."""
    # The calls' own database, so that their rows and the entries commit together.
    using = calls[0].using
    logs = [build_log(call, **call.kwargs) for call in calls]
    attach_content_types(logs, using)
    detach_deleted_users(logs, using)
    name_unnamed(logs, using)
    name_related(logs, using)
    insert_rows(AuditLog, COLUMNS, list(map(attrgetter(*COLUMNS), logs)), using)


def build_log(
    call: Call,
    *,
    model: str,
    object_id: str,
    object_repr: str,
    action: str,
    changes: dict[str, Any],
    actor_id: str = "",
    actor: str = "",
) -> AuditLog:
    """Return the entry for a call. The change's own actor goes before the request's."""
    context = call.context
    if not actor_id:
        actor_id, actor = context.actor_id, context.actor
    return AuditLog(
        model_label=model,
        object_id=object_id,
        object_repr=object_repr,
        action=AuditLog.Action(action),
        changes=changes,
        user_id=actor_id or None,
        user_label=actor,
        request_id=context.request_id,
        address=context.address,
        timestamp=call.created_at,
        call_id=call.pk,
    )


def attach_content_types(logs: Sequence[AuditLog], using: str) -> None:
    """Set each entry's content type, or None where the database has none."""
    # Read the table, not Django's cache. Another process may have deleted a cached row.
    names = {log.model_label.rpartition(".")[2] for log in logs}
    types = ContentType.objects.using(using).filter(model__in=names)
    ids = {f"{each.app_label}.{each.model}": each.pk for each in types}
    for log in logs:
        log.content_type_id = ids.get(log.model_label)


def detach_deleted_users(logs: Sequence[AuditLog], using: str) -> None:
    """Drop the references to users who are gone. Their names stay."""
    wanted = {log.user_id for log in logs if log.user_id}
    users = get_user_model()._base_manager.using(using).filter(pk__in=wanted)
    present: dict[Any, Any] = {str(pk): pk for pk in users.values_list("pk", flat=True)}
    for log in logs:
        log.user_id = present.get(log.user_id)
