"""The articles and the products by who may see them."""

from typing import Any, Self

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Q

from .permissions import may_see_all


class ArticleQuerySet(models.QuerySet[Any]):
    """A query for articles."""

    def published(self) -> Self:
        """Return the articles that everybody may read."""
        return self.filter(status=self.model.Status.PUBLISHED)

    def unpublished(self) -> Self:
        """Return the articles that the public doesn't know of."""
        return self.exclude(status=self.model.Status.PUBLISHED)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the articles that this user may read.

        These are the published ones and the user's own. A user with a permission to see all
        articles may read all. Nobody reads an article that is being deleted.
        """
        if may_see_all(user, self.model):
            return self.exclude(status=self.model.Status.REMOVED)
        if not user.is_authenticated:
            return self.published()
        own = Q(author__user=user) & ~Q(status=self.model.Status.REMOVED)
        return self.filter(Q(status=self.model.Status.PUBLISHED) | own)

    def with_related(self) -> Self:
        """Fetch what a list shows of each article in the same query."""
        return self.select_related("author__user", "category")


class ProductQuerySet(models.QuerySet[Any]):
    """A query for products."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the products for sale, or all to a user with a permission to see all."""
        return self.all() if may_see_all(user, self.model) else self.filter(is_active=True)
