"""The first and the last step: the account is closed, and in the end the user is gone."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils.crypto import get_random_string

from core.forgetting.context import forgetting
from core.forgetting.person import Person
from core.forgetting.signals import person_forgotten


class LastSuperuser(Exception):
    """The user is the only superuser. Without one nobody could make another."""


def close_account(user_id: int) -> None:
    """Keep the user from logging in, so that nothing new comes. Raises LastSuperuser."""
    with transaction.atomic(using=_using()):
        list(_superusers().order_by("pk").select_for_update())  # one after the other
        if is_last_superuser({user_id}):
            raise LastSuperuser
        # Without signals: the log would say the user's name.
        user = User.objects.using(_using()).filter(pk=user_id)
        user.update(is_active=False, password=make_password(None))


def is_last_superuser(user_ids: Collection[int]) -> bool:
    """Return whether without these users there is no superuser who can log in."""
    others = _superusers().filter(is_active=True).exclude(pk__in=user_ids)
    return _superusers().filter(pk__in=user_ids).exists() and not others.exists()


def finish(person: Person) -> None:
    """Delete the user, or leave a user without a name whose articles stay.

    Do nothing if another run has finished.
    """
    with forgetting(), transaction.atomic(using=_using()):
        rows = User.objects.using(_using()).select_for_update()
        user = rows.filter(pk=person.user_id).first()
        if user is None:
            return
        if _has_kept(user, person):
            _unname(user)
        else:
            user.delete()
        person_forgotten.send(User, person=person, using=_using())


def _has_kept(user: Any, person: Person) -> bool:
    return person.keeps_articles and bool(person.rows.get("kept: content.article"))


def _unname(user: User) -> None:
    user.username = _free_name(user.pk)
    user.first_name = user.last_name = user.email = ""
    user.is_staff = user.is_superuser = False
    user.last_login = None
    user.groups.clear()
    user.user_permissions.clear()
    user.save()


def _free_name(user_id: int) -> str:
    """Return a name that nobody can choose at sign-up, since it has a dot."""
    name = f"deleted.{user_id}"
    taken = User.objects.using(_using()).filter(username=name).exclude(pk=user_id)
    return f"{name}.{get_random_string(8).lower()}" if taken.exists() else name


def _superusers() -> QuerySet[User]:
    return User.objects.using(_using()).filter(is_superuser=True)


def _using() -> str:
    return router.db_for_write(User)
