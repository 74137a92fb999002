"""Deleting a user in the admin: the account is closed at once, and a task forgets the person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from core.forgetting.closing import is_last_superuser
from core.forgetting.find import person_of
from core.forgetting.places import OwnRows, Stage, places
from core.forgetting.tasks import request_forgetting

if TYPE_CHECKING:
    Base = admin.ModelAdmin[User]
else:
    Base = type(admin.site.get_model_admin(User))  # Django's own, or that of another app

LAST = "The last superuser, without whom nobody could make another one"
LATER = "A worker removes the data of who was deleted. Until then the account is closed."


class ForgettingAdmin(Base):
    """Users as another app shows them, and deleted as ``manage.py forget`` does it."""

    def get_deleted_objects(
        self, objs: Sequence[User] | QuerySet[User], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name the users and count what they have. A page of all of it can be megabytes."""
        counts = {"users": len(objs)}
        forbidden: set[str] = set()
        for place in places(Stage.DATA):
            if isinstance(place, OwnRows) and (count := count_all(place, objs)):
                counts[place.name] = count
                forbidden |= {label for label in place.models if not may_delete(request, label)}
        protected = [LAST] if is_last_superuser({user.pk for user in objs}) else []
        return [str(user) for user in objs], counts, forbidden, protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Close the account, and have the person forgotten."""
        request_forgetting(obj)
        self.message_user(request, LATER, messages.INFO)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Close the accounts, and have the persons forgotten."""
        for user in queryset:
            request_forgetting(user)
        self.message_user(request, LATER, messages.INFO)


def count_all(place: OwnRows, users: Sequence[User] | QuerySet[User]) -> int:
    """Return how many rows of the users a place has."""
    return sum(place.count(person_of(user)) for user in users)


def may_delete(request: HttpRequest, label: str) -> bool:
    """Return whether the request's user may delete rows of the model, if the admin has it."""
    model = apps.get_model(label)
    right = f"{model._meta.app_label}.{get_permission_codename('delete', model._meta)}"
    return not admin.site.is_registered(model) or request.user.has_perm(right)


admin.site.unregister(User)
admin.site.register(User, ForgettingAdmin)
