"""Lock and change only rows that nobody else has locked, so as to wait for nobody."""

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
"""Seconds that such a transaction may be idle. If its host freezes, others have the rows then."""

WAIT = 1
"""Seconds that such a transaction waits at most where one connection writes at a time."""


def lock_rows(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows that nobody else has locked, locked until the transaction ends."""
    return rows.select_for_update(skip_locked=True)


@contextmanager
def short_transaction(using: str) -> Iterator[None]:
    """Open a transaction for what is done beside the calls, which must not hold up anybody."""
    ops = outbox_ops(connections[using])
    with ops.short_wait(WAIT), transaction.atomic(using=using):
        if not is_nested(using):
            ops.limit_idle(IDLE_SECONDS)
        yield


def change_unlocked(rows: QuerySet[Any], change: Callable[[QuerySet[Any]], int]) -> int:
    """Change the rows that nobody else has locked, and leave the others for another time.

    ``change`` gets some of the rows at a time, and returns a count. Return the sum of the counts. A
    row that was changed must no longer be among ``rows``.
    """
    total = 0
    while rows.exists():  # before any transaction: on SQLite that would wait until it can write
        with short_transaction(rows.db):
            free = list(lock_rows(rows)[:CHUNK].values_list("pk", flat=True))
            if free:
                total += change(rows.model._base_manager.using(rows.db).filter(pk__in=free))
        if len(free) < CHUNK:
            break
    return total


def lock_unlocked(rows: QuerySet[Any]) -> tuple[list[int], bool]:
    """Lock the rows that nobody has locked. Return their keys, and whether these are all rows."""
    there = set(rows.order_by().values_list("pk", flat=True))
    free = list(lock_rows(rows.order_by()).values_list("pk", flat=True)) if there else []
    return free, there <= set(free)


def delete_rows(model: type[OutboxCall | OutboxBatch], using: str, ids: Sequence[int]) -> None:
    """Delete the rows with these ids, and wait for a lock on no other."""
    if ids:
        outbox_ops(connections[using]).delete_rows(model, ids)
