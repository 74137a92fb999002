"""The questions that are asked of follows, for many users at once."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q

from content.models import Article

if TYPE_CHECKING:
    Base = models.Manager["Any"]
else:
    Base = models.Manager


class FollowManager(Base):
    """Follows, and the switch that makes and ends them."""

    def switch(self, user: User, on: bool, **target: Any) -> None:
        """Follow the ``author=`` or ``category=``, or end that. Done twice it changes nothing."""
        if on:
            self.get_or_create(user=user, **target)
        else:
            self.filter(user=user, **target).delete()

    def toggle(self, user: User, **target: Any) -> bool:
        """Follow the ``author=`` or ``category=``, or end that. Return True if it begins."""
        deleted, _ = self.filter(user=user, **target).delete()
        if not deleted:
            self.get_or_create(user=user, **target)
        return not deleted

    def about(self, article: Article) -> models.QuerySet[Any]:
        """Return the follows of the article's author and of its category."""
        target = Q(author=article.author_id)
        if article.category_id is not None:
            target |= Q(category=article.category_id)
        return self.filter(target)

    def followers(self, article: Article) -> models.QuerySet[User]:
        """Return the users who follow its author or its category, each once, but not the author."""
        users = User.objects.filter(pk__in=self.about(article).values("user"))
        return users.exclude(author=article.author_id).order_by("pk")
