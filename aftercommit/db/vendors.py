"""The one place that tells databases apart."""

from collections.abc import Mapping
from typing import Any

from aftercommit.db.mysql.outbox import MySQLOperations
from aftercommit.db.operations import OutboxOperations
from aftercommit.db.postgresql.outbox import PostgreSQLOperations
from aftercommit.db.sqlite3.outbox import SQLiteOperations

ENGINES: Mapping[str, str] = {
    "postgresql": "aftercommit.db.postgresql",
    "mysql": "aftercommit.db.mysql",
    "sqlite": "aftercommit.db.sqlite3",
}
"""For each vendor that an outbox can be in, Django's own backend with the commit hook."""

VENDORS: Mapping[str, type[OutboxOperations]] = {
    "postgresql": PostgreSQLOperations,
    "mysql": MySQLOperations,  # Django gives MariaDB the same name
    "sqlite": SQLiteOperations,
}


def make_outbox_ops(connection: Any) -> OutboxOperations:
    """Return new operations for the connection. Those of an unknown vendor are the standard."""
    return VENDORS.get(connection.vendor, OutboxOperations)(connection)


def outbox_ops(connection: Any) -> OutboxOperations:
    """Return the connection's ``outbox_ops``, also where its ENGINE isn't one of the outbox's."""
    if not hasattr(connection, "outbox_ops"):
        connection.outbox_ops = make_outbox_ops(connection)
    ops: OutboxOperations = connection.outbox_ops
    return ops
