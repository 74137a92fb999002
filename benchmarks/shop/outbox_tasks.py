"""The project's tasks: those of many calls get a batch, as its own audit log and counters do."""

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

from celery import shared_task
from django.db.models import F
from django.utils import timezone

from benchmarks.shop.effects import EFFECTS, TEXT, counter_of, send_mail
from benchmarks.shop.models import Counter, Log
from core.db.bulk import insert_rows
from core.outbox.call import Call


def write_logs(items: Sequence[tuple[int, str]]) -> None:
    """Write all the log rows at once."""
    now = timezone.now()
    rows = [(item_id, action, TEXT, now) for item_id, action in items]
    insert_rows(Log, ("item_id", "action", "text", "created_at"), rows, "default")


def move_counters(items: Sequence[int]) -> None:
    """Move each counter once by its sum, in the order of their keys."""
    for pk, moves in sorted(Tally(map(counter_of, items)).items()):
        Counter.objects.filter(pk=pk).update(value=F("value") + moves)


def _effect(number: int) -> Any:
    """The task of a save's effect: of each three, one writes logs and two move counters."""

    @shared_task(name=f"shop.effect_{number}", batch=True)
    def effect(calls: Sequence[Call]) -> None:
        kwargs = [call.kwargs for call in calls]
        if number % 3 == 0:
            write_logs([(each["item_id"], each["title"][:20]) for each in kwargs])
        else:
            move_counters([each["item_id"] + number for each in kwargs])

    return effect


effects = [_effect(number) for number in range(EFFECTS)]
"""The tasks of a save's effects."""


@shared_task(batch=True)
def noop(calls: Sequence[Call]) -> None:
    """Do nothing."""


@shared_task(batch=True)
def audit(calls: Sequence[Call]) -> None:
    """Write the batch's log rows."""
    write_logs([(call.kwargs["item_id"], "update") for call in calls])


@shared_task(batch=True)
def counter(calls: Sequence[Call]) -> None:
    """Move the batch's counters."""
    move_counters([call.kwargs["item_id"] for call in calls])


@shared_task(atomic=False)
def mail(item_id: int) -> None:
    """Send one mail."""
    send_mail(item_id)


kinds = {"noop": noop, "audit": audit, "counter": counter, "mail": mail}
"""The tasks of a backlog's effects."""
