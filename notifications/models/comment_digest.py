"""Which comments are told of by which mail."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from content.models import Comment

from .delivery import Delivery


class CommentDigest(models.Model):
    """The mail that gathers the comments to one author, until it is sent. Then there is none."""

    recipient = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"Delivery #{self.delivery_id} gathers comments to user #{self.recipient_id}"


class GatheredComment(models.Model):
    """A comment, and the one mail that tells of it. The row outlives its comment."""

    comment = models.OneToOneField(
        Comment,
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="gathered")
    commenter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["commenter", "created_at"], name="gathered_by_commenter")]

    def __str__(self) -> str:
        return f"Comment #{self.comment_id}, in delivery #{self.delivery_id}"
