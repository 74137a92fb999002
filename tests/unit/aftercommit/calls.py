"""Calls in the outbox, as a test wants to find them there."""

from typing import Any

from django.db.models import QuerySet

from aftercommit.models import OutboxCall
from tests.unit.aftercommit import effects

Status = OutboxCall.Status
MAKE_GROUP = effects.make_group.name


def make_call(name: str = "x", **values: Any) -> OutboxCall:
    """One call of ``make_group``, stored, with these columns changed."""
    effects.make_group.delay_on_commit(name)
    call = OutboxCall.objects.latest("pk")
    OutboxCall.objects.filter(pk=call.pk).update(**values)
    call.refresh_from_db()
    return call


def calls() -> QuerySet[OutboxCall]:
    """The calls in the outbox, without those that log what was done with the others."""
    return OutboxCall.objects.exclude(task="audit.tasks.write_audit_logs")
