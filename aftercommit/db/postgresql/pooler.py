"""A pooler in front of the database, such as PgBouncer, and what it does not keep.

In transaction mode each transaction can have another session of the server. What a session has is
lost then, or somebody else has it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

ASSUMED_ROLE = (
    "OPTIONS['assume_role'] sets a role for the session, which transactions of others have then",
    "Leave it out, and run ALTER ROLE … SET role TO … in the database.",
)
CURSORS = (
    "DISABLE_SERVER_SIDE_CURSORS is not True, so that .iterator() loses its cursor",
    "Set it to True.",
)
PREPARED = (
    "OPTIONS['prepare_threshold'] has statements prepared, which PgBouncer before 1.21, and any "
    "with max_prepared_statements = 0, does not find again",
    "Leave it out, or see that the pooler has max_prepared_statements above 0.",
)


def is_pooled(connection: Any) -> bool:
    """Return whether another process answers than the one that the client was told of.

    A pooler tells each client a number of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (answering,) = cursor.fetchone()
    return bool(answering != connection.connection.info.backend_pid)


def not_kept(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what of the database's settings is lost in transaction mode, each with what to do."""
    options = settings.get("OPTIONS", {})
    if not settings.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield CURSORS
    if options.get("assume_role"):
        yield ASSUMED_ROLE
    if options.get("prepare_threshold") is not None:
        yield PREPARED
