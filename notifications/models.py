"""Follows, and every mail that came of them."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils import timezone

from content.models import Article, Author, Category, Comment


class FollowManager(models.Manager["Follow"]):
    """Follows, and the switch that makes and ends them."""

    def toggle(self, user: User, **target: Any) -> bool:
        """Follow the ``author=`` or ``category=``, or end that. Return True if it begins."""
        deleted, _ = self.filter(user=user, **target).delete()
        if not deleted:
            self.get_or_create(user=user, **target)
        return not deleted

    def followers(self, article: Article) -> models.QuerySet[User]:
        """Return the users who follow its author or its category, each once, but not the author."""
        target = Q(author=article.author_id)
        if article.category_id is not None:
            target |= Q(category=article.category_id)
        users = User.objects.filter(pk__in=self.filter(target).values("user"))
        return users.exclude(author=article.author_id).order_by("pk")


class Follow(models.Model):
    """A user wants to be told of what an author publishes, or of what appears in a category."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="follows"
    )
    author = models.ForeignKey(
        Author, null=True, blank=True, on_delete=models.CASCADE, related_name="follows"
    )
    category = models.ForeignKey(
        Category, null=True, blank=True, on_delete=models.CASCADE, related_name="follows"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FollowManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(author__isnull=False, category__isnull=True)
                | Q(author__isnull=True, category__isnull=False),
                name="follow_author_or_category",
                violation_error_message="Follow either an author or a category.",
            ),
            models.UniqueConstraint(fields=["user", "author"], name="follow_author_once"),
            models.UniqueConstraint(fields=["user", "category"], name="follow_category_once"),
        ]

    def __str__(self) -> str:
        target = f"author #{self.author_id}" if self.author_id else f"category #{self.category_id}"
        return f"User #{self.user_id} follows {target}"


class Delivery(models.Model):
    """One mail to one person, with its status."""

    class Kind(models.TextChoices):
        ARTICLE_PUBLISHED = "article_published", "Article published"
        COMMENT_POSTED = "comment_posted", "Comment posted"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"
        SKIPPED = "skipped", "Skipped"
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
