"""The profile and the author that belong to every user."""

from django.contrib.auth.models import User

from .models import Author, Profile


def create_profile_and_author(user: User, using: str) -> None:
    """Give a new user both."""
    Profile.objects.using(using).create(user=user)
    Author.objects.using(using).create(user=user)


def keep_profile_and_author(user: User, using: str) -> None:
    """Save what changed in the user's loaded profile, and create what the user lacks.

    Costs one query, and none when both are loaded and unchanged.
    """
    loaded = {name: user._state.fields_cache.get(name) for name in ("profile", "author")}
    if not all(loaded.values()):
        create_missing(user, using)
    if loaded["profile"] and loaded["profile"].changes():
        loaded["profile"].save(using=using)


def create_missing(user: User, using: str) -> None:
    """Create the profile and the author that the database doesn't have."""
    row = User.objects.using(using).filter(pk=user.pk).values_list("profile", "author").first()
    for model, key in zip((Profile, Author), row or (), strict=False):
        if key is None:
            model.objects.using(using).get_or_create(user=user)
