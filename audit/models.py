"""The log of every change to every audited model."""

from typing import Self

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone

from .registry import find_model, id_of, label_of


class AuditLogQuerySet(models.QuerySet["AuditLog"]):
    """Entries by what they are about."""

    def for_object(self, instance: models.Model) -> Self:
        """Return the entries about this object, newest first."""
        return self.filter(model_label=label_of(instance), object_id=id_of(instance))


class AuditLog(models.Model):
    """One change to one object: what it was, who made it, and when.

    It outlives what it speaks of. ``model_label``, ``object_repr`` and ``user_label`` still say it
    when the content type, the object or the user is gone.
    """

    class Action(models.TextChoices):
        CREATE = "CREATE", "Created"
        UPDATE = "UPDATE", "Updated"
        DELETE = "DELETE", "Deleted"
        FORGET = "FORGET", "Forgotten"

    # No index: an index would cost something at every row, and it would serve only the deletion of
    # a content type, which is rare. Queries of the log use model_label.
    content_type = models.ForeignKey(
        ContentType, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    model_label = models.CharField("model", max_length=201)
    object_id = models.CharField(max_length=255)
    object_repr = models.CharField("object", max_length=200)
    action = models.CharField(max_length=10, choices=Action)
    changes = models.JSONField(default=dict)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    user_label = models.CharField("user name", max_length=255, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    timestamp = models.DateTimeField(default=timezone.now)
    call_id = models.BigIntegerField(null=True, editable=False)

    objects = AuditLogQuerySet.as_manager()

    class Meta:
        verbose_name = "audit log entry"
        verbose_name_plural = "audit log"
        # Changes of one transaction have the same timestamp. The call's id keeps their order.
        ordering = ["-timestamp", "-call_id"]
        constraints = [
            # A second entry of the same call must be an error that somebody sees. The time is part
            # of the key, because ids repeat if the outbox's sequence starts anew.
            models.UniqueConstraint(fields=["timestamp", "call_id"], name="audit_one_row_a_call"),
        ]
        indexes = [
            models.Index(fields=["model_label", "object_id", "timestamp"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.model_name} #{self.object_id}"

    @property
    def model(self) -> type[models.Model] | None:
        """Return the class of the object, or None if the project no longer has it."""
        return find_model(self.model_label)

    @property
    def model_name(self) -> str:
        """Return the name of the object's class. For a class that is gone the label has it."""
        if self.model is None:
            return self.model_label.rpartition(".")[2]
        return self.model._meta.object_name or ""

    def named_changes(self) -> dict[str, dict[str, str | None]]:
        """Return each field's ``{"old": …, "new": …}``, in the model's order.

        A creation has no "old". A deletion has no "new".
        """
        changes = self.changes
        if self.action == self.Action.CREATE:
            changes = {name: {"new": value} for name, value in changes["values"].items()}
        elif self.action == self.Action.DELETE:
            changes = {name: {"old": value} for name, value in changes["deleted_values"].items()}
        # PostgreSQL's jsonb doesn't keep the order that the receiver wrote.
        order = [field.name for field in self.model._meta.concrete_fields] if self.model else []
        names = [*(name for name in order if name in changes), *sorted(changes.keys() - set(order))]
        return {name: changes[name] for name in names}
