"""Many new rows at once, where nobody needs their keys."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connections
from django.db.models import Model

from aftercommit.db.vendors import outbox_ops


def insert_rows(
    model: type[Model], names: Sequence[str], rows: Collection[Sequence[Any]], using: str
) -> None:
    """Insert rows of the model, each the values of the fields of these names.

    On PostgreSQL with psycopg 3 this is a COPY. ``bulk_create`` of the same rows costs the process
    three times as much: it makes objects and one long statement of them, and handles each value
    several times. Like ``bulk_create`` this sends no signals. Unlike it, it fills no fields,
    ``auto_now`` or a default, by itself.
    """
    if rows:
        outbox_ops(connections[using]).insert_rows(model, names, rows)
