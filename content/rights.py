"""What a user may do with one article: its author all, another user what the permissions say."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import models

from .permissions import may, may_see_all


class ArticleRights(models.Model):
    """The questions that pages and their buttons ask of an article."""

    Status: Any
    status: Any
    author: Any
    is_published: Any

    class Meta:
        abstract = True

    def can_be_seen_by(self, user: User | AnonymousUser) -> bool:
        """Return whether this user may read it, as ``Article.objects.visible_to(user)`` does.

        Costs no query for a published article, and none for its author.
        """
        if self.status == self.Status.REMOVED:
            return False
        return self.is_published or self.is_by(user) or may_see_all(user, type(self))

    def can_be_changed_by(self, user: User | AnonymousUser) -> bool:
        """Return whether this user may edit and publish it.

        Its author may, and a user with the permission to change articles.
        """
        return self.is_by(user) or may(user, "change", type(self))

    def can_be_deleted_by(self, user: User | AnonymousUser) -> bool:
        """Return whether this user may delete it.

        Its author may, and a user with the permission to delete articles.
        """
        return self.is_by(user) or may(user, "delete", type(self))

    def is_by(self, user: User | AnonymousUser) -> bool:
        """Return whether the user is the author."""
        return user.is_authenticated and self.author.user_id == user.pk
