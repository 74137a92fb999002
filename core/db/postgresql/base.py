"""Django's PostgreSQL backend with the commit hook: ``"ENGINE": "core.db.postgresql"``."""

from django.db.backends.postgresql import base

from core.db.hook import OutboxMixin


class DatabaseWrapper(OutboxMixin, base.DatabaseWrapper):
    """A PostgreSQL connection that stores its calls before COMMIT."""
