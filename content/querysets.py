"""The articles by who may see them."""

from typing import Any, Self

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Q


class ArticleQuerySet(models.QuerySet[Any]):
    """A query for articles."""

    def published(self) -> Self:
        """Return the articles that everybody may read."""
        return self.filter(status=self.model.Status.PUBLISHED)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the articles that this user may read.

        These are the published ones and the user's own. Staff may read all.
        """
        if user.is_staff:
            return self.all()
        visible = Q(status=self.model.Status.PUBLISHED)
        return self.filter(visible | Q(author__user=user) if user.is_authenticated else visible)

    def with_related(self) -> Self:
        """Fetch what a list shows of each article in the same query."""
        return self.select_related("author__user", "category")
