"""Making a backlog quickly (one entry as the library writes it, and copies), and emptying it."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.db.models import Model

from benchmarks.contender import CHUNK


def chunks(count: int) -> Iterator[range]:
    """The numbers below ``count``, as many at a time as one transaction makes."""
    for start in range(0, count, CHUNK):
        yield range(start, min(start + CHUNK, count))


def add_copies(first: Model, numbers: range, change: Callable[[Any, int], None]) -> list[Any]:
    """Insert a copy of ``first`` for each number, changed by ``change(copy, number)``.

    How a backlog came to be is not measured, and a library that inserts a row a statement would
    take minutes for a deep one.
    """
    made = []
    for number in numbers:
        each = copy.copy(first)
        each._state = copy.copy(first._state)
        each._state.adding = True
        each.pk = None
        change(each, number)
        made.append(each)
    return list(type(first)._base_manager.bulk_create(made))


def truncate(*models: type[Model]) -> None:
    """Delete all rows, and those that refer to them."""
    tables = ", ".join(f'"{model._meta.db_table}"' for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")
