"""Choosing: which of the dead and uncertain calls an operator means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from celery import current_app
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.operate import HELD
from core.outbox.task import find_task

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
AGE = re.compile(r"(\d{1,12})([smhd]?)", re.ASCII)
LONGEST = 36_500 * UNITS["d"]
SHOWN = 5
"""How many calls a description names one by one."""


class ChoiceError(Exception):
    """What was asked for can't be meant; nothing is chosen."""


@dataclass(frozen=True)
class Choice:
    """What the calls must have, all of it; or ``everything``."""

    ids: Sequence[int] = ()
    task: str | None = None
    error: str | None = None
    older_than: timedelta | None = None
    everything: bool = False

    def calls(self, using: str) -> QuerySet[OutboxCall]:
        """The dead and uncertain calls of the database that are meant; raises ChoiceError."""
        self._check()
        held = OutboxCall.objects.using(using).filter(status__in=HELD)
        if self.task is not None:
            held = _of_task(held, self.task)
        if self.error is not None:
            held = held.filter(error__icontains=self.error)
        if self.older_than is not None:
            held = held.filter(created_at__lte=Now() - self.older_than)
        return _with_ids(held, self.ids) if self.ids else held

    def _check(self) -> None:
        options = {
            "IDs": self.ids or None,
            "--task": self.task,
            "--error": self.error,
            "--older-than": self.older_than,
        }
        given = " and ".join(name for name, value in options.items() if value is not None)
        if self.everything and given:
            raise ChoiceError(f"Expected --all alone, or without it {given}; got both.")
        if not self.everything and not given:
            raise ChoiceError(
                "Expected to be told which calls, got nothing. Give ID [ID …], --task NAME, "
                "--error TEXT, --older-than AGE or several of them; or --all."
            )
        if self.error == "":
            raise ChoiceError("--error is empty, which every error contains. Give a part of it.")


def parse_age(text: str) -> timedelta:
    """The time that ``90``, ``90s``, ``10m``, ``2h`` or ``3d`` stands for; raises ValueError."""
    match = AGE.fullmatch(text)
    seconds = int(match[1]) * UNITS[match[2]] if match else LONGEST + 1
    if seconds > LONGEST:  # a database's clock doesn't go back for ever
        raise ValueError(f"{text!r} is no age. Expected such as 90s, 10m, 2h or 3d.")
    return timedelta(seconds=seconds)


def describe(calls: QuerySet[OutboxCall]) -> Iterator[str]:
    """Lines: how many of each task and status, and the oldest of them."""
    counts = calls.order_by("task", "status").values_list("task", "status")
    for task, status, count in counts.annotate(Count("pk")):
        yield f"{count} of {task}, {status}"
    columns = ("pk", "task", "status", "created_at", "error")
    for pk, task, status, created_at, error in calls.order_by("pk").values_list(*columns)[:SHOWN]:
        line = error.strip().rpartition("\n")[2][:100]
        made = created_at.isoformat(" ", "minutes")
        yield f"  #{pk} {task}, {status}, made {made}: {line or 'no error'}"
    if (more := calls.count() - SHOWN) > 0:
        yield f"  and {more} more"


def _of_task(held: QuerySet[OutboxCall], task: str) -> QuerySet[OutboxCall]:
    chosen = held.filter(task=task)
    if find_task(task) is None and not chosen.exists():
        names = {*current_app.tasks, *held.values_list("task", flat=True).distinct()}
        close = get_close_matches(task, sorted(names))
        hint = f"Did you mean {' or '.join(close)}?" if close else "See 'outbox status'."
        raise ChoiceError(f"There is no task {task!r}, and no call of one. {hint}")
    return chosen


def _with_ids(held: QuerySet[OutboxCall], ids: Sequence[int]) -> QuerySet[OutboxCall]:
    chosen = held.filter(pk__in=ids)
    if missing := sorted(set(ids) - set(chosen.values_list("pk", flat=True))):
        raise ChoiceError(
            f"Not dead or uncertain, not there, or not what the options say: "
            f"{', '.join(map(str, missing))}. Nothing was changed. Calls of another status settle "
            "by themselves; the admin lists them all."
        )
    return chosen
