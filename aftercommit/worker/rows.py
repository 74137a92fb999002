"""Changing rows that nobody else has locked. Whoever changes only those waits for nobody."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet

from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker.idle import is_nested

CHUNK = 500
"""How many rows one transaction changes."""

IDLE_SECONDS = 10
"""How long such a transaction may be idle. If its host freezes, others have the rows after that."""


WAIT = 1
"""Seconds that such a transaction waits at most where there is one writer at a time."""


def lock_rows(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows that nobody else has locked, locked until the transaction ends."""
    return rows.select_for_update(skip_locked=True)


@contextmanager
def brief(using: str) -> Iterator[None]:
    """Open a transaction that must not last, for what is done beside the calls."""
    ops = outbox_ops(connections[using])
    with ops.short_wait(WAIT), transaction.atomic(using=using):
        if not is_nested(using):
            ops.limit_idle(IDLE_SECONDS)
        yield


def change_free(rows: QuerySet[Any], change: Callable[[QuerySet[Any]], int]) -> int:
    """Change the rows that nobody else has locked, and leave the others for another time.

    ``change`` gets some of the rows at a time, and returns how many count; their sum is returned. A
    row that it changed must be among ``rows`` no longer.
    """
    total = 0
    while rows.exists():  # before any transaction: on SQLite that would wait for its turn to write
        with brief(rows.db):
            free = list(lock_rows(rows)[:CHUNK].values_list("pk", flat=True))
            if free:
                total += change(rows.model._base_manager.using(rows.db).filter(pk__in=free))
        if len(free) < CHUNK:
            break
    return total


def lock_all(rows: QuerySet[Any]) -> tuple[list[int], bool]:
    """Lock the rows that are free; return their keys, and whether that was all of the rows."""
    there = set(rows.order_by().values_list("pk", flat=True))
    free = list(lock_rows(rows.order_by()).values_list("pk", flat=True)) if there else []
    return free, there <= set(free)


def delete_rows(model: type[OutboxCall | OutboxBatch], using: str, ids: Sequence[int]) -> None:
    """Delete the rows with these ids, and wait for a lock on no other."""
    if ids:
        outbox_ops(connections[using]).delete_rows(model, ids)
