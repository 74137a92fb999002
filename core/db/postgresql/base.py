"""Django's PostgreSQL backend with the commit hook: ``"ENGINE": "core.db.postgresql"``."""

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.utils.functional import cached_property

from core.db.hook import OutboxMixin


class DatabaseWrapper(OutboxMixin, base.DatabaseWrapper):
    """A PostgreSQL connection that stores its calls before COMMIT."""

    @cached_property
    def commit_along(self) -> str:  # type: ignore[override]  # a constant elsewhere
        """A COMMIT in the INSERT's round trip: a transaction with calls takes no more of them.

        https://www.psycopg.org/psycopg3/docs/advanced/cursors.html#client-side-binding-cursors:
        several statements at a time are for those; and psycopg 3 knows that it has committed.
        """
        several = is_psycopg3 and not self.features.uses_server_side_binding
        return "; COMMIT" if several else ""
