"""Django's permissions on the domain's models. ``is_staff`` gives none of them."""

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AnonymousUser, User
from django.db import models

SEEING = ("view", "change", "delete")
"""Who has one of these permissions on a model may see each of its rows."""


def may(user: User | AnonymousUser, action: str, model: type[models.Model]) -> bool:
    """Return whether the user has the permission to add, view, change or delete any row."""
    codename = get_permission_codename(action, model._meta)
    return user.has_perm(f"{model._meta.app_label}.{codename}")


def may_see_all(user: User | AnonymousUser, model: type[models.Model]) -> bool:
    """Return whether the user may see each row, also one that isn't public."""
    return any(may(user, action, model) for action in SEEING)
