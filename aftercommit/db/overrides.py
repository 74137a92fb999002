"""Tell which methods of a backend are neither Django's own nor the outbox's."""

from collections.abc import Collection

COMMIT_METHODS = ("commit", "_commit")

CURSOR_METHODS = (
    "cursor",
    "_cursor",
    "create_cursor",
    "make_cursor",
    "make_debug_cursor",
    "_prepare_cursor",
)

KNOWN = ("django.db.backends.", "aftercommit.db.")
"""The beginnings of the names of modules whose methods work with the hook as they are."""


def is_overridden(backend: type, methods: Collection[str]) -> bool:
    """Return whether somebody else's class defines one of these methods for the backend."""
    others = [each for each in backend.__mro__ if not each.__module__.startswith(KNOWN)]
    return any(name in vars(each) for each in others for name in methods)
