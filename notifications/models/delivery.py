"""The record of each mail."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from content.models import Article, Comment

from .subscriptions import Kind


class Delivery(models.Model):
    """One mail to one person, with its status."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"
        SKIPPED = "skipped", "Skipped"
        LIMITED = "limited", "Over a limit"
        CANCELLED = "cancelled", "Cancelled"

    key = models.CharField(max_length=120, unique=True, editable=False)
    kind = models.CharField(max_length=30, choices=Kind)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    address = models.CharField(max_length=254, blank=True)
    # The numbers outlive their rows. So deleting an article neither waits for its deliveries nor
    # changes them, and a delivery still says which article it was about.
    article = models.ForeignKey(
        Article, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    comment = models.ForeignKey(
        Comment,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    message_id = models.CharField("Message-ID", max_length=255)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["created_at"], name="delivery_by_time"),
            # The health check counts the few that failed among all that were ever sent.
            models.Index(fields=["status", "created_at"], name="delivery_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, to {self.address or 'nobody'}: {self.status}"

    def move(self, *before: str, to: str, **values: Any) -> bool:
        """Change the status in the database if it is one of ``before``. Return whether it was.

        Of two processes that race for a delivery one wins, and the other changes nothing.
        """
        rows = Delivery.objects.filter(pk=self.pk, status__in=before)
        if not rows.update(status=to, **values):
            return False
        self.status = to
        return True
