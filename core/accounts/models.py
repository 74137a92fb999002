"""What the database holds about accounts beside Django's and django-allauth's own tables."""

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models

from .names import SKELETON_LENGTH, skeleton

TAKEN = "Somebody has this name, or one that looks like it. Choose another one."


class NameManager(models.Manager["Name"]):
    """The names, and whether one is free."""

    def validate_free(self, name: str, user_id: int | None = None) -> None:
        """Refuse a name that looks like another's than this user's. Raises ValidationError."""
        alike = self.filter(skeleton=skeleton(name)).exclude(user=user_id)
        same = User.objects.filter(username__iexact=name).exclude(pk=user_id or 0)  # has no row
        if alike.exists() or same.exists():
            raise ValidationError(TAKEN, code="taken")


class Name(models.Model):
    """What readers see of a user's name, which no two users share.

    A user from before who looks like another one has no row.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    skeleton = models.CharField(max_length=SKELETON_LENGTH, unique=True)

    objects = NameManager()

    def __str__(self) -> str:
        return self.skeleton
