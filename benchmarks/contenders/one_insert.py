"""One INSERT of constants: the wall that a transactional outbox can't get below."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """Rows as Aftercommit writes them, in its table, sent in one message with COMMIT.

    The statement is made beforehand and handed to libpq, past Django and psycopg. Nothing is
    encoded, nobody is told of the rows, and nothing ever does what they stand for.
    """

    label = "one INSERT alone"
    differs = (
        "the least that an outbox can do, and none itself: one INSERT of constants, sent with "
        "COMMIT, and BEGIN with the save; no calls, no wake-ups, no workers"
    )
    engine = "aftercommit.db.postgresql"
    apps = ("aftercommit",)

    def add_effects(self, item: "Item", effects: int) -> None:
        """As many rows; they end the transaction, of which the save is the last thing."""
        if effects:
            insert_and_commit(effects_of_a_save(effects))

    def save_many(self, rows: int) -> None:
        """One transaction: save so many items, then insert as many rows."""
        from django.db import transaction

        with transaction.atomic():
            for _ in range(rows):
                self.next_item().save()
            insert_and_commit(effects_of_many(rows))

    def clear(self) -> None:
        """No rows."""
        from aftercommit.models import OutboxCall
        from benchmarks.backlog import truncate

        truncate(OutboxCall)


def insert_and_commit(statement: bytes) -> None:
    """Send it; Django's own commit then finds that it has nothing to do."""
    from django.db import connection
    from psycopg.pq import ExecStatus

    result = connection.connection.pgconn.exec_(statement)
    assert result.status == ExecStatus.COMMAND_OK, result.error_message


@cache
def effects_of_a_save(effects: int) -> bytes:
    """The statement for a save with so many effects, of a task each."""
    return _statement([f"shop.effect_{number}" for number in range(effects)])


@cache
def effects_of_many(rows: int) -> bytes:
    """The statement for so many saves with one effect each."""
    return _statement(["shop.effect_0"] * rows)


def _statement(tasks: Sequence[str]) -> bytes:
    from aftercommit.outbox.arguments import encode_arguments
    from aftercommit.outbox.carriers import encode_context

    # As wide as that of any item.
    payload = encode_arguments(tasks[0], [], {"item_id": 500, "title": "x" * 40})
    values = ", ".join(f"('{task}', '{payload}', '{encode_context()}')" for task in tasks)
    sql = f"INSERT INTO aftercommit_outboxcall (task, payload, context) VALUES {values}; COMMIT"  # noqa: S608
    return sql.encode()
