"""Calls whose arguments this code's function doesn't take."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.db import transaction
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task import find_task
from aftercommit.outbox.task_function import MisfitError
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.drain import drain_all
from aftercommit.worker.loading import rows_of
from aftercommit.worker.misfits import Misfit, decide_misfit
from aftercommit.worker.settle import settle_failed
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = 3600


@pytest.fixture(autouse=True)
def _grace(settings: Any) -> None:
    settings.OUTBOX_UNKNOWN_TASK_GRACE = GRACE


class TestMisfit:
    """A call whose arguments this code's function doesn't take."""

    error = MisfitError("make_group: missing a required argument: 'date'")

    @pytest.fixture
    def call(self) -> Iterator[Call]:
        """One, locked by its drain."""
        effects.make_group.delay_on_commit("a")
        batch = claim_batch("default", effects.make_group.name, 10)
        assert batch
        with transaction.atomic():
            yield batch.lock()[0]

    def ask(self, call: Call) -> Misfit:
        """Return what is decided."""
        return decide_misfit("default", call, find_task(call.task), self.error)

    def age(self, seconds: float) -> None:
        """Have it wait since so many seconds."""
        OutboxCall.objects.update(misfit_since=Now() - timedelta(seconds=seconds))

    def test_waits(self, call: Call) -> None:
        """It is put off for the grace, which begins when it is first found not to fit."""
        OutboxCall.objects.update(created_at=Now() - timedelta(seconds=10 * GRACE))
        waits = self.ask(call)
        assert waits.seconds
        assert waits.seconds < 2
        assert "waits for a worker whose code takes its arguments" in waits.text
        self.age(GRACE - 60)
        later = self.ask(call).seconds
        assert later
        assert GRACE / 20 < later < GRACE / 5

    def test_dead(self, call: Call) -> None:
        """Then it is a dead letter, which says what was given, and what each version takes."""
        tasks = {call.task: "(name, date)"}
        OutboxWorker.objects.create(name="new@web", host="web", pid=1, seen_at=Now(), tasks=tasks)
        self.ask(call)
        self.age(GRACE + 60)
        dead = self.ask(call)
        text = dead.text
        assert dead.seconds is None
        assert "missing a required argument: 'date'" in text
        assert '[["a"], {}]' in text
        assert f"What {call.task} takes here: (name)" in text
        assert "in the workers that live: (name, date)" in text

    def test_retried(self, call: Call) -> None:
        """One that is retried after that waits anew."""
        self.ask(call)
        self.age(GRACE + 60)
        assert self.ask(call).seconds is None
        assert self.ask(call).seconds

    def test_fitted_meanwhile(self, call: Call) -> None:
        """One that another worker has run, and that failed there, waits anew."""
        self.ask(call)
        self.age(GRACE + 60)
        settle_failed(rows_of(call), call, find_task(call.task), ValueError("no mail server"))
        assert self.ask(call).seconds

    def test_no_grace(self, call: Call, settings: Any) -> None:
        """Without a grace it is dead at once."""
        settings.OUTBOX_UNKNOWN_TASK_GRACE = 0
        assert self.ask(call).seconds is None

    def test_settled_meanwhile(self, call: Call) -> None:
        """A call that is gone is no dead letter."""
        OutboxCall.objects.all().delete()
        assert self.ask(call).seconds


@pytest.mark.parametrize("atomic", [True, False])
def test_mistake_in_the_function(atomic: bool) -> None:
    """Wrong arguments of a call that the function makes are an attempt, and no misfit."""

    @shared_task(name=f"tests.mistaken_{atomic}", atomic=atomic, max_retries=0)
    def mistaken() -> None:
        call_on_commit(effects.make_group, ["a", "one too many"])

    mistaken.delay_on_commit()
    assert drain_all().dead == 1
    row = OutboxCall.objects.get()
    assert (row.attempts, row.misfit_since) == (1, None)
    assert "make_group() takes 1 positional argument but 2 were given" in row.error
