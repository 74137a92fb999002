"""Hands each change of an audited model to the task that writes the log."""

from collections.abc import Collection
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_delete

from core.tracking import AuditableMixin

from . import registry
from .labels import label_without_query
from .models import AuditLog
from .tasks import write_audit_logs
from .values import changed_values, created_values, deleted_values, load_deferred_fields

Action = AuditLog.Action


def connect(model: type[Model], exclude: Collection[str] = ()) -> None:
    """Audit ``model`` from now on, in all its fields but those in ``exclude``."""
    for sender in registry.register(model, exclude):
        post_save.connect(saved_write_audit_log, sender=sender)
        pre_delete.connect(deleting_load_deferred_fields, sender=sender)
        post_delete.connect(deleted_write_audit_log, sender=sender)


def saved_write_audit_log(
    instance: AuditableMixin, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Log a creation, and an update that changed something."""
    if raw:
        return
    if created:
        _enqueue(Action.CREATE, instance, created_values(instance, using), using)
    elif changes := changed_values(instance, using):
        _enqueue(Action.UPDATE, instance, changes, using)


def deleting_load_deferred_fields(instance: Model, using: str, **kwargs: Any) -> None:
    """Load what ``only()`` or ``defer()`` left out, as long as the row is there to be read."""
    load_deferred_fields(instance, using)


def deleted_write_audit_log(instance: Model, using: str, **kwargs: Any) -> None:
    """Log a deletion, with the values the object had."""
    _enqueue(Action.DELETE, instance, deleted_values(instance, using), using)


def _enqueue(action: Action, instance: Any, changes: dict[str, Any], using: str) -> None:
    user = instance.current_user
    kwargs = {
        "model": registry.label_of(instance),
        "object_id": str(instance.pk),
        "object_repr": label_without_query(instance, using),
        "action": action.value,
        "changes": changes,
    }
    if user is not None and user.pk is not None:
        kwargs |= {"actor_id": str(user.pk), "actor": user.get_username()}
    write_audit_logs.apply_async_on_commit(kwargs=kwargs, using=using)
