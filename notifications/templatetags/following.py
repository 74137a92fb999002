"""What the follow button and the publish button ask."""

from typing import Any

from django import template

from content.models import Article
from notifications.models import Announcement, Follow

register = template.Library()

TARGETS = {"author": "author__user__username", "category": "category__slug"}


@register.simple_tag
def is_following(user: Any, kind: str, slug: str) -> bool:
    """Return whether the user follows this author (a user name) or category (a slug)."""
    if not user.is_authenticated:
        return False
    return Follow.objects.filter(user=user, **{TARGETS[kind]: slug}).exists()


@register.simple_tag
def last_announcement(article: Article) -> Announcement | None:
    """Return when followers were told of the article, or None if they weren't."""
    return Announcement.objects.filter(article=article).first()
