"""Django's PostgreSQL backend with the commit hook: ``"ENGINE": "aftercommit.db.postgresql"``."""

from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.utils.functional import cached_property

from aftercommit.db.hook import OutboxMixin
from aftercommit.db.postgresql.vanished import PARAMETERS, complete

if is_psycopg3:
    from aftercommit.db.postgresql.cursor import Cursor
    from aftercommit.db.postgresql.operations import DatabaseOperations


class DatabaseWrapper(OutboxMixin, base.DatabaseWrapper):
    """A PostgreSQL connection that stores its calls before COMMIT."""

    can_copy = is_psycopg3
    default_parameters = PARAMETERS
    if is_psycopg3:
        ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's parameters and ours: the cursor that joins BEGIN to the first statement.

        With them go the limits after which a connection gives up a host that vanished.
        """
        params = complete(super().get_connection_params())
        return params | {"cursor_factory": Cursor} if self.joins_begin else params

    @cached_property
    def several_statements(self) -> bool:  # type: ignore[override]  # a constant elsewhere
        """True, unless parameters are bound by the server; psycopg 3 knows if one was a COMMIT.

        https://www.psycopg.org/psycopg3/docs/advanced/cursors.html#client-side-binding-cursors
        """
        return is_psycopg3 and not self.features.uses_server_side_binding

    @property
    def can_join_begin(self) -> bool:  # type: ignore[override]  # a constant elsewhere
        """True where a message may hold several statements, unless OPTIONS name a cursor."""
        return self.several_statements and "cursor_factory" not in self.settings_dict["OPTIONS"]
