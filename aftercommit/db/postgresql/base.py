"""Django's PostgreSQL backend with the commit hook: ``"ENGINE": "aftercommit.db.postgresql"``."""

from django.db.backends.postgresql import base

from aftercommit.db.postgresql.hook import PostgreSQLMixin


class DatabaseWrapper(PostgreSQLMixin, base.DatabaseWrapper):
    """Django's connection to PostgreSQL, with the commit hook."""
