"""The commit hook on PostgreSQL, above any backend whose base is Django's."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.backends.postgresql.psycopg_any import is_psycopg3

from aftercommit.db.hook import OutboxMixin
from aftercommit.db.postgresql.vanished import PARAMETERS, complete

if is_psycopg3:
    from psycopg import ClientCursor

    from aftercommit.db.postgresql.cursor import is_django_cursor, with_begin


class PostgreSQLMixin(OutboxMixin):
    """A PostgreSQL connection that stores its calls before COMMIT."""

    can_copy = is_psycopg3
    default_parameters = PARAMETERS

    # psycopg 3 knows if one of several statements was a COMMIT. Where the server binds the
    # parameters, a message has one statement:
    # https://www.psycopg.org/psycopg3/docs/advanced/cursors.html#client-side-binding-cursors
    several_in: ClassVar[tuple[type, ...]] = (ClientCursor,) if is_psycopg3 else ()

    def can_join_begin(self, params: Mapping[str, Any]) -> bool:
        """Return whether the cursor is Django's, or one that somebody else derived from it.

        A cursor that OPTIONS name stays as it is.
        """
        named = "cursor_factory" in self.settings_dict["OPTIONS"]
        return is_psycopg3 and not named and is_django_cursor(params["cursor_factory"])

    def get_connection_params(self) -> dict[str, Any]:
        """Return the backend's parameters, with a cursor that joins BEGIN to the first statement.

        The limits after which a connection gives up a host that vanished go with them.
        """
        params = complete(super().get_connection_params())
        if self.joins_begin:
            params["cursor_factory"] = with_begin(params["cursor_factory"])
        return params
