"""Select the calls that an operator means, by what the options of ``manage.py outbox`` say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from celery import current_app
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.operations.calls import HELD, RETRY, is_unknown
from aftercommit.operations.operation import Operation

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
AGE = re.compile(r"(\d{1,12})([smhd]?)", re.ASCII)
LONGEST = 36_500 * UNITS["d"]


class SelectionError(Exception):
    """The options select no calls, or not the ones that were named. Nothing is changed."""


@dataclass(frozen=True)
class Selection:
    """The properties of the calls that are meant. A call must have all of them."""

    ids: Sequence[int] = ()
    task: str | None = None
    error: str | None = None
    older_than: timedelta | None = None
    everything: bool = False

    def calls(self, using: str, operation: Operation = RETRY) -> QuerySet[OutboxCall]:
        """Return the database's calls that are selected. Raises SelectionError.

        A pending call must be named by its id or its task. Discarding accepts it if nobody has its
        task, but another service on this database, or the next deploy, may be about to run it.
        """
        self._check()
        calls = self._filter(using)
        if not self.ids and self.task is None:
            return calls.filter(status__in=HELD)
        return self._check_named(operation, operation.accept(calls))

    def calls_to_show(self, using: str) -> QuerySet[OutboxCall]:
        """Return the database's calls that are selected, whatever their status.

        Without any property these are the calls that need a look: failing, dead and uncertain ones.
        """
        self._check_error()
        calls = self._filter(using)
        if self.ids or {self.task, self.error, self.older_than} != {None}:
            return calls
        return calls.filter(Q(status__in=HELD) | Q(failing_since__isnull=False))

    def _filter(self, using: str) -> QuerySet[OutboxCall]:
        calls = OutboxCall.objects.using(using).all()
        if self.task is not None:
            calls = calls.filter(task=self.task)
        if self.error is not None:
            calls = calls.filter(error__icontains=self.error)
        if self.older_than is not None:
            calls = calls.filter(created_at__lte=Now() - self.older_than)
        if self.ids:
            calls = calls.filter(pk__in=self.ids)
        return calls

    def _check_named(
        self, operation: Operation, selected: QuerySet[OutboxCall]
    ) -> QuerySet[OutboxCall]:
        if self.task is not None:
            _check_task(selected.db, operation, self.task)
        if missing := set(self.ids) - set(selected.values_list("pk", flat=True)):
            raise SelectionError(
                f"Not to be found, or not to be {operation.done}, or not what the options say: "
                f"{', '.join(map(str, sorted(missing)))}. Nothing was changed. "
                f"{operation.restriction} See 'outbox show'."
            )
        return selected

    def _check(self) -> None:
        options = {
            "IDs": self.ids or None,
            "--task": self.task,
            "--error": self.error,
            "--older-than": self.older_than,
        }
        given = " and ".join(name for name, value in options.items() if value is not None)
        if self.everything and given:
            raise SelectionError(f"Expected --all alone, or without it {given}; got both.")
        if not self.everything and not given:
            raise SelectionError(
                "Expected to be told which calls, got nothing. Give ID [ID …], --task NAME, "
                "--error TEXT, --older-than AGE or several of them; or --all."
            )
        self._check_error()

    def _check_error(self) -> None:
        if self.error == "":
            raise SelectionError("--error is empty, which every error contains. Give a part of it.")


def parse_age(text: str) -> timedelta:
    """Return the time that ``90``, ``90s``, ``10m``, ``2h`` or ``3d`` stands for.

    Raises ValueError for any other text.
    """
    match = AGE.fullmatch(text)
    seconds = int(match[1]) * UNITS[match[2]] if match else LONGEST + 1
    if seconds > LONGEST:  # a database's clock can't go back for ever
        raise ValueError(f"{text!r} is no age. Expected such as 90s, 10m, 2h or 3d.")
    return timedelta(seconds=seconds)


def _check_task(using: str, operation: Operation, task: str) -> None:
    """Raise SelectionError if nobody has the task and none of its calls can be changed."""
    calls = OutboxCall.objects.using(using)
    if not is_unknown(using, task) or operation.accept(calls.filter(task=task)).exists():
        return
    names = {*current_app.tasks, *calls.order_by().values_list("task", flat=True).distinct()}
    close = get_close_matches(task, sorted(names - {task}))
    hint = f"Did you mean {' or '.join(close)}?" if close else "See 'outbox status'."
    raise SelectionError(
        f"There is no task {task!r}, and no call of one that can be {operation.done}. {hint}"
    )
