"""PgBouncer, or another pooler in transaction mode, between the site and PostgreSQL.

The site then keeps nothing in a session of the database, since the next transaction has another.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

PORT = 5432


def through_pooler(config: Mapping[str, Any], pooler: str) -> dict[str, Any]:
    """Return the database as it is reached through the pooler at ``HOST:PORT``, if there is one.

    A cursor of the server would outlive its transaction. Raises ImproperlyConfigured.
    """
    if not pooler:
        return dict(config)
    if config["ENGINE"] != "aftercommit.db.postgresql":
        raise ImproperlyConfigured(
            f"DATABASE_POOLER={pooler!r} is for PostgreSQL, and DATABASE_URL names another "
            "database. Leave DATABASE_POOLER out."
        )
    host, port = read_address(pooler)
    return {**config, "HOST": host, "PORT": port, "DISABLE_SERVER_SIDE_CURSORS": True}


def read_address(pooler: str) -> tuple[str, int]:
    """Return the host and the port. Raises ImproperlyConfigured if it is no ``HOST:PORT``."""
    try:
        parts = urlsplit(f"//{pooler}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or pooler != parts.netloc or "@" in pooler:
        raise ImproperlyConfigured(
            f"DATABASE_POOLER={pooler!r} is no address. Expected HOST:PORT, such as "
            f"pgbouncer:{PORT}. The user and the database are those of DATABASE_URL."
        )
    return host, port or PORT
