"""Rows of any model by one statement, where nobody needs their keys."""

from collections.abc import Collection, Mapping, Sequence
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


def write_rows(model: type[Model], rows: Mapping[Any, Mapping[str, Any]], using: str) -> None:
    """Write rows, each by its key and with the values of its other fields, by one statement.

    Each takes the place of an earlier row with the same key.
    """
    # MySQL can't be told which constraint decides. PostgreSQL and SQLite have to be.
    has_target = connections[using].features.supports_update_conflicts_with_target
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    model._base_manager.using(using).bulk_create(
        [model(pk=pk, **values) for pk, values in rows.items()],
        update_conflicts=True,
        update_fields=[field.name for field in fields],
        unique_fields=[model._meta.pk.name] if has_target else None,
    )
