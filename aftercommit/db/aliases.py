"""The databases that have an outbox."""

from django.db import connections


def outbox_aliases() -> list[str]:
    """Return the aliases of the databases whose ENGINE has the commit hook."""
    return [alias for alias in connections if getattr(connections[alias], "has_outbox", False)]
