"""Receivers: each calls the task that logs a change of an audited model, or of an operator."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.dispatch import receiver

from aftercommit.models import OutboxCall
from aftercommit.signals import calls_discarded, calls_retried, rows_operated
from aftercommit.tracking.auditable import AuditableMixin
from core.forgetting.context import is_forgetting
from core.forgetting.person import Person
from core.forgetting.signals import person_forgotten

from . import registry
from .forgetting import without_texts
from .labels import label_without_query
from .models import AuditLog
from .registry import Names
from .relations import by_owner, related_keys
from .tasks import write_audit_logs
from .values import (
    call_values,
    changed_values,
    created_values,
    deleted_values,
    operated_values,
)

Action = AuditLog.Action

SIDES = {"post_add": "new", "pre_remove": "old", "pre_clear": "old"}
"""Where an entry has the related objects, by what Django's signal says was done with them."""


def connect(model: type[Model], exclude: Names = (), mask: Names = (), show: Names = ()) -> None:
    """Audit ``model`` from now on, in all its fields but those in ``exclude``.

    Fields in ``mask`` are masked, and those in ``show`` aren't, whatever their names tell of.
    """
    for sender in registry.register(model, exclude, mask, show):
        post_save.connect(saved_write_audit_log, sender=sender)
        pre_delete.connect(deleting_lock_row, sender=sender)
        post_delete.connect(deleted_write_audit_log, sender=sender)
    for through in registry.throughs(model):
        m2m_changed.connect(related_write_audit_log, sender=through)


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


def deleting_lock_row(instance: AuditableMixin, using: str, **kwargs: Any) -> None:
    """Read the row while it is there, and lock it, so that nobody else deletes it from here on."""
    instance.lock_row(using)


def deleted_write_audit_log(instance: AuditableMixin, using: str, **kwargs: Any) -> None:
    """Log a deletion, with the row's values, unless another transaction deleted it first."""
    if instance.lock_row(using):
        _enqueue(Action.DELETE, instance, deleted_values(instance, using), using)


def related_write_audit_log(
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Log for each object what a many-to-many field of it got, or what was taken from it."""
    field, side = registry.field_through(sender), SIDES.get(action)
    if field is None or side is None:
        return
    keys = pk_set or ()
    if side == "old":
        keys = related_keys(field, instance, reverse, pk_set, using)
    for owner, others in by_owner(field, instance, reverse, keys):
        changes = {field.name: {"old": None, "new": None, side: others}}
        _enqueue(Action.UPDATE, owner, changes, using, is_loaded=not reverse)


@receiver(calls_retried)
def retried_write_audit_logs(calls: Sequence[OutboxCall], using: str, **kwargs: Any) -> None:
    """Log of each call that an operator made it due again."""
    for call in calls:
        changes = {"status": {"old": str(call.status), "new": OutboxCall.Status.PENDING.value}}
        _enqueue(Action.UPDATE, call, changes, using)


@receiver(calls_discarded)
def discarded_write_audit_logs(calls: Sequence[OutboxCall], using: str, **kwargs: Any) -> None:
    """Log of each call that an operator deleted it, with what it was."""
    for call in calls:
        _enqueue(Action.DELETE, call, {"deleted_values": call_values(call, using)}, using)


@receiver(rows_operated)
def operated_write_audit_logs(
    rows: Sequence[Model], values: dict[str, Any], using: str, **kwargs: Any
) -> None:
    """Log of each row what an operator changed it to."""
    for row in rows:
        _enqueue(Action.UPDATE, row, operated_values(row, values, using), using)


@receiver(person_forgotten)
def forgotten_write_audit_log(
    sender: type[Model], person: Person, using: str, **kwargs: Any
) -> None:
    """Log that an operator had a person forgotten, by the id alone."""
    _enqueue(Action.FORGET, sender(pk=person.user_id), {}, using)


def _enqueue(
    action: Action, instance: Any, changes: dict[str, Any], using: str, is_loaded: bool = True
) -> None:
    user = getattr(instance, "current_user", None)
    about = (registry.label_of(instance), registry.id_of(instance))
    name = label_without_query(instance, using) if is_loaded else ""
    texts = {"object_repr": name, "changes": changes}
    if is_forgetting():
        texts = without_texts(*about, changes)
    kwargs = {"model": about[0], "object_id": about[1], "action": action.value, **texts}
    if user is not None and user.pk is not None:
        kwargs |= {"actor_id": str(user.pk), "actor": user.get_username()}
    write_audit_logs.using(using).delay_on_commit(**kwargs)
