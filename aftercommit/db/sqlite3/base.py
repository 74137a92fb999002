"""Django's SQLite backend with the commit hook: ``"ENGINE": "aftercommit.db.sqlite3"``."""

from django.db.backends.sqlite3 import base

from aftercommit.db.sqlite3.hook import SQLiteMixin


class DatabaseWrapper(SQLiteMixin, base.DatabaseWrapper):
    """Django's connection to SQLite, with the commit hook."""
