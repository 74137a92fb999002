"""The project's tasks: those of many calls get a batch, as its own audit log and counters do."""

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

from celery import shared_task
from django.db.models import F
from django.utils import timezone

from aftercommit.call import Call
from aftercommit.db.bulk import insert_rows
from benchmarks.shop.effects import COUNTERS, EFFECTS, TEXT, counter_of, send_mail
from benchmarks.shop.models import Counter, Log


def write_logs(items: Sequence[tuple[int, str]]) -> None:
    """Write all the log rows at once."""
    now = timezone.now()
    rows = [(item_id, action, TEXT, now) for item_id, action in items]
    insert_rows(Log, ("item_id", "action", "text", "created_at"), rows, "default")


def move_counters(items: Sequence[int]) -> None:
    """Move each counter once by its sum, in the order of their keys."""
    for pk, moves in sorted(Tally(map(counter_of, items)).items()):
        Counter.objects.filter(pk=pk).update(value=F("value") + moves)


WRITE_LOGS = f"""
    INSERT INTO shop_log (item_id, action, text, created_at)
    SELECT (kwargs ->> 'item_id')::bigint, coalesce(left(kwargs ->> 'title', 20), 'update'),
        '{TEXT}', statement_timestamp()
    FROM calls
"""  # noqa: S608  # constants

MOVE_COUNTERS = f"""
    UPDATE shop_counter SET value = value + moves
    FROM (
        SELECT id, moves FROM shop_counter JOIN (
            SELECT ((kwargs ->> 'item_id')::bigint + {{number}}) % {COUNTERS} + 1 AS id,
                count(*) AS moves
            FROM calls GROUP BY 1
        ) AS counted USING (id) ORDER BY id FOR NO KEY UPDATE OF shop_counter
    ) AS moved
    WHERE shop_counter.id = moved.id
"""  # noqa: S608  # constants


def _effect(number: int) -> Any:
    """The task of a save's effect: of each three, one writes logs and two move counters."""
    logs = number % 3 == 0

    @shared_task(
        name=f"shop.effect_{number}",
        batch=True,
        sql=WRITE_LOGS if logs else MOVE_COUNTERS.format(number=number),
    )
    def effect(calls: Sequence[Call]) -> None:
        kwargs = [call.kwargs for call in calls]
        if logs:
            write_logs([(each["item_id"], each["title"][:20]) for each in kwargs])
        else:
            move_counters([each["item_id"] + number for each in kwargs])

    return effect


effects = [_effect(number) for number in range(EFFECTS)]
"""The tasks of a save's effects."""


@shared_task
def noop(item_id: int) -> None:
    """Do nothing, once for each call, as the peers' jobs do."""


@shared_task(batch=True)
def noop_in_batches(calls: Sequence[Call]) -> None:
    """Do nothing, once for each batch."""


# A statement has no use for a batch's memory, and more of each batch's time for its rows.
@shared_task(batch=True, sql=WRITE_LOGS, batch_size=2000)
def audit(calls: Sequence[Call]) -> None:
    """Write the batch's log rows."""
    write_logs([(call.kwargs["item_id"], "update") for call in calls])


@shared_task(batch=True)
def audit_by_function(calls: Sequence[Call]) -> None:
    """The same without a statement, as effects must whose rows take Python to make."""
    audit.run(calls)


@shared_task(batch=True, sql=MOVE_COUNTERS.format(number=0), batch_size=2000)
def counter(calls: Sequence[Call]) -> None:
    """Move the batch's counters."""
    move_counters([call.kwargs["item_id"] for call in calls])


@shared_task(atomic=False)
def mail(item_id: int) -> None:
    """Send one mail."""
    send_mail(item_id)


kinds = {
    "noop": noop,
    "noop in batches": noop_in_batches,
    "audit": audit,
    "audit by function": audit_by_function,
    "counter": counter,
    "mail": mail,
}
"""The tasks of a backlog's effects."""
