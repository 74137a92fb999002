"""Who wants which mails."""

from typing import cast

from django.conf import settings
from django.db import models
from django.db.models import Q

from content.models import Author, Category

from ..managers import FollowManager


class Kind(models.TextChoices):
    """The kinds of mail. A user can switch each of them off."""

    ARTICLE_PUBLISHED = "article_published", "Article published"
    COMMENT_POSTED = "comment_posted", "Comment posted"


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

    @property
    def target(self) -> Author | Category:
        """Return the author or the category. A constraint of the table sees that it is there."""
        return cast("Author | Category", self.author or self.category)


class Mute(models.Model):
    """A kind of mail that a user doesn't want. Without a row the user gets mails of the kind."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mutes"
    )
    kind = models.CharField(max_length=30, choices=Kind)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="mute_once")]

    def __str__(self) -> str:
        return f"User #{self.user_id} wants no mail: {self.get_kind_display()}"
