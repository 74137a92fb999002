"""What the sweep finds."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox import sweep
from core.outbox.sweep import Sweeper, due_ages
from tests.unit.core import effects
from tests.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that the sweep woke."""
    names: list[str] = []
    monkeypatch.setattr(sweep, "send_wake_up", lambda using, task: names.append(task))
    return names


def test_due_ages() -> None:
    """Each task with due calls, and how long the oldest has been due."""
    with transaction.atomic():
        for name in "ab":
            effects.make_group.delay_on_commit(name)
            effects.make_groups.delay_on_commit(name=name)
        effects.send_outside.apply_async_on_commit(["later"], countdown=60)
    OutboxCall.objects.filter(pk=OutboxCall.objects.earliest("pk").pk).update(
        available_at=F("available_at") - timedelta(seconds=100)
    )
    ages = due_ages("default")
    assert set(ages) == {effects.make_group.name, effects.make_groups.name}
    assert 100 <= ages[effects.make_group.name] < 110
    assert 0 <= ages[effects.make_groups.name] < 10


def test_wakes_what_is_due(woken: list[str]) -> None:
    """A task with due calls is woken, whatever happened to its wake-up; others are not."""
    effects.make_group.delay_on_commit("a")
    effects.make_groups.apply_async_on_commit(kwargs={"name": "later"}, countdown=60)
    effects.send_again.delay_on_commit("gone")
    OutboxCall.objects.filter(task=effects.send_again.name).update(task="tests.gone")
    sweep.sweep("default")
    assert woken == [effects.make_group.name]


def test_retry_that_fell_due(woken: list[str]) -> None:
    """A retry is found when its time has come."""
    effects.make_group.apply_async_on_commit(["a"], countdown=60)
    sweep.sweep("default")
    assert woken == []
    OutboxCall.objects.update(available_at=Now())
    sweep.sweep("default")
    assert woken == [effects.make_group.name]


def test_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A sweep that fails is not the last one."""
    settings.OUTBOX_SWEEP_INTERVAL = 0.01
    swept: list[str] = []

    def fail(using: str) -> None:
        swept.append(using)
        raise ConnectionError("no database")

    monkeypatch.setattr(sweep, "sweep", fail)
    sweeper = Sweeper()
    sweeper.start()
    wait_for(lambda: len(swept) >= 3, 10, "three sweeps")
    sweeper.stop()
    assert not sweeper.is_alive()
