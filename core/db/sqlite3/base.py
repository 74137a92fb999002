"""Django's SQLite backend with the commit hook: ``"ENGINE": "core.db.sqlite3"``."""

from django.db.backends.sqlite3 import base

from core.db.hook import OutboxMixin


class DatabaseWrapper(OutboxMixin, base.DatabaseWrapper):
    """A SQLite connection that stores its calls before COMMIT."""
