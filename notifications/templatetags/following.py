"""The follow button's question."""

from typing import Any

from django import template

from notifications.models import Follow

register = template.Library()

TARGETS = {"author": "author__user__username", "category": "category__slug"}


@register.simple_tag
def is_following(user: Any, kind: str, slug: str) -> bool:
    """Return whether the user follows this author (a user name) or category (a slug)."""
    if not user.is_authenticated:
        return False
    return Follow.objects.filter(user=user, **{TARGETS[kind]: slug}).exists()
