"""The calls that meet a fault, of a task that takes each alone or one that takes all."""

from contextlib import suppress

import pytest
from django.db import OperationalError, connection, transaction

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_task
from tests.reliability.state import journals
from tests.reliability.tasks import the_task
from tests.unit.aftercommit import effects

PENDING, DEAD = OutboxCall.Status.PENDING, OutboxCall.Status.DEAD
NAMES = ["a", "b", "c"]
TASKS = {"single": effects.make_group, "batch": effects.make_groups}

either = pytest.mark.parametrize("kind", TASKS)


def call_each(kind: str = "single", names: list[str] = NAMES) -> None:
    """Commit a call for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            TASKS[kind].delay_on_commit(name=name)


def drain_once(kind: str = "single") -> None:
    """One drain, as a worker has it: the database's error ends it, and the next connects anew."""
    with suppress(OperationalError):
        drain_task(the_task(TASKS[kind]), "default")
    connection.close_if_unusable_or_obsolete()


def check_untouched(count: int) -> None:
    """So many calls wait, none of which has an attempt or a crash to its name; no journal is."""
    rows = OutboxCall.objects.values_list("status", "attempts", "crashes")
    assert list(rows) == [(PENDING, 0, 0)] * count
    assert not journals()
