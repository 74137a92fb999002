"""Choosing: which of the calls that an operation accepts an operator means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from celery import current_app
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.operations.operate import RETRY, held, is_unknown
from aftercommit.operations.operation import Operation, count_groups

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

    def calls(self, using: str, operation: Operation = RETRY) -> QuerySet[OutboxCall]:
        """Return the calls of the database that are meant; raises ChoiceError.

        A pending call, which discarding accepts if nobody has its task, must be named by its id or
        its task: another service on this database, or the next deploy, may be about to run it.
        """
        self._check()
        calls = OutboxCall.objects.using(using).all()
        if self.task is not None:
            calls = calls.filter(task=self.task)
        if self.error is not None:
            calls = calls.filter(error__icontains=self.error)
        if self.older_than is not None:
            calls = calls.filter(created_at__lte=Now() - self.older_than)
        if self.ids:
            calls = calls.filter(pk__in=self.ids)
        if not self.ids and self.task is None:
            return held(calls)
        return self._named(operation, operation.accept(calls))

    def _named(self, operation: Operation, chosen: QuerySet[OutboxCall]) -> QuerySet[OutboxCall]:
        if self.task is not None:
            _check_task(chosen.db, operation, self.task)
        if missing := set(self.ids) - set(chosen.values_list("pk", flat=True)):
            raise ChoiceError(
                f"Not to be found, or not to be {operation.done}, or not what the options say: "
                f"{', '.join(map(str, sorted(missing)))}. Nothing was changed. {operation.only} "
                "The admin lists them all."
            )
        return chosen

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
    """Yield lines: how many of each task and status, and the oldest of them."""
    for (task, status), count in count_groups(calls, ("task", "status")).items():
        yield f"{count} of {task}, {status}"
    columns = ("pk", "task", "status", "created_at", "error")
    oldest = calls.order_by("created_at", "pk").values_list(*columns)[:SHOWN]
    for pk, task, status, created_at, error in oldest:
        line = error.strip().rpartition("\n")[2][:100]
        made = created_at.isoformat(" ", "minutes")
        yield f"  #{pk} {task}, {status}, made {made}: {line or 'no error'}"
    if (more := calls.count() - SHOWN) > 0:
        yield f"  and {more} more"


def _check_task(using: str, operation: Operation, task: str) -> None:
    """Raise ChoiceError if nobody has the task and there is no call of it to operate on."""
    calls = OutboxCall.objects.using(using)
    if not is_unknown(using, task) or operation.accept(calls.filter(task=task)).exists():
        return
    names = {*current_app.tasks, *calls.order_by().values_list("task", flat=True).distinct()}
    close = get_close_matches(task, sorted(names - {task}))
    hint = f"Did you mean {' or '.join(close)}?" if close else "See 'outbox status'."
    raise ChoiceError(
        f"There is no task {task!r}, and no call of one that can be {operation.done}. {hint}"
    )
