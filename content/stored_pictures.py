"""Deletes the files of pictures that no profile shows."""

import datetime
from collections.abc import Collection
from typing import Any

from django.db import router
from django.utils import timezone

from .models import Profile

AVATARS: Any = Profile._meta.get_field("avatar")
PIECE = 500
"""How many files one query asks about."""

MIN_AGE = datetime.timedelta(days=1)
"""A younger file can belong to a transaction that is still to commit."""


def delete_unused(name: str) -> bool:
    """Delete the picture's file, unless a profile shows it. Return whether it was deleted.

    A file that is gone already is no error.
    """
    if not name or _shown([name]):
        return False
    AVATARS.storage.delete(name)
    return True


def delete_orphans() -> int:
    """Delete the old files that no profile shows, and return how many they were.

    A transaction that rolls back leaves the file of an upload behind, and so does
    ``QuerySet.update()``.
    """
    names = _stored()
    pieces = [names[start : start + PIECE] for start in range(0, len(names), PIECE)]
    return sum(_delete_orphans_of(piece) for piece in pieces)


def _delete_orphans_of(names: list[str]) -> int:
    kept = _shown(names)
    orphans = [name for name in names if name not in kept and _is_old(name)]
    return sum(map(delete_unused, orphans))


def _stored() -> list[str]:
    try:
        _, files = AVATARS.storage.listdir(AVATARS.upload_to)
    except FileNotFoundError:  # there was no upload yet
        return []
    return [f"{AVATARS.upload_to}{file}" for file in files]


def _is_old(name: str) -> bool:
    try:
        changed = AVATARS.storage.get_modified_time(name)
    except FileNotFoundError:  # somebody else has deleted it
        return False
    return bool(changed < timezone.now() - MIN_AGE)


def _shown(names: Collection[str]) -> set[str]:
    # Not a replica: it may not know yet who shows the picture.
    profiles = Profile._base_manager.using(router.db_for_write(Profile))
    return set(profiles.filter(avatar__in=names).values_list("avatar", flat=True))
