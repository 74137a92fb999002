"""When a sweep wakes a task, although Redis says that a wake-up is under way."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F

from aftercommit.models import OutboxCall
from aftercommit.outbox import wake
from aftercommit.outbox.turns import MAX_HOLD_SECONDS, MAX_UNANSWERED
from aftercommit.outbox.wake import flush_wake_ups
from aftercommit.worker import own_wake_ups, sweep
from aftercommit.worker.own_wake_ups import OwnWakeUps
from tests.unit.aftercommit import effects

TARGET = ("default", "shop.tasks.any")


class Clock:
    """A monotonic clock that a test sets."""

    now = 1_000.0

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    """Return the clock of the module."""
    settings.OUTBOX_WAKE_TTL = 5
    clock = Clock()
    monkeypatch.setattr(own_wake_ups, "time", clock)
    return clock


class TestOwnWakeUps:
    """How long a wake-up may go unanswered."""

    def test_never_woken(self, clock: Clock) -> None:
        """A call that has just become due has a wake-up that is under way."""
        own = OwnWakeUps()
        assert not own.is_overdue(TARGET, 4.9)
        assert own.is_overdue(TARGET, 5)

    def test_woken(self, clock: Clock) -> None:
        """The wake-up of this process gets its time, however old the call is."""
        own = OwnWakeUps()
        own.note(TARGET, 3_600)
        clock.now += 4.9
        assert not own.is_overdue(TARGET, 3_605)
        clock.now += 0.1
        assert own.is_overdue(TARGET, 3_605)
        assert not own.is_overdue(("default", "shop.tasks.other"), 3)

    def test_rarer(self, clock: Clock) -> None:
        """A queue that nobody reads grows slowly: the time is doubled up to two minutes."""
        own, age, pauses = OwnWakeUps(), 0.0, []
        for _ in range(MAX_UNANSWERED + 4):
            own.note(TARGET, age)
            begun = clock.now
            while not own.is_overdue(TARGET, age):
                clock.now, age = clock.now + 1, age + 1
            pauses.append(clock.now - begun)
        assert pauses[:6] == [5, 5, 5, 10, 20, 40]
        assert {*pauses[8:]} == {MAX_HOLD_SECONDS}

    def test_answered(self, clock: Clock) -> None:
        """A call that became due after the wake-up says that the others have ended."""
        own = OwnWakeUps()
        for _ in range(10):
            own.note(TARGET, 3_600)
        clock.now += 20
        assert not own.is_overdue(TARGET, 3_620)
        assert own.is_overdue(TARGET, 6)


@pytest.mark.django_db(transaction=True)
class TestForgedTurn:
    """Somebody who can write to Redis says that a wake-up is under way."""

    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
        """Return the tasks that a message was sent to, from a call that is due for ten seconds."""
        sent: list[Any] = []
        monkeypatch.setattr(sweep, "_own_wake_ups", OwnWakeUps())
        effects.make_group.delay_on_commit("a")
        assert flush_wake_ups(10)
        OutboxCall.objects.update(available_at=F("available_at") - timedelta(seconds=10))
        monkeypatch.setattr(wake, "publish", lambda task, *rest: sent.append(task))
        yield sent
        cache.clear()

    def forge(self, **values: int) -> None:
        """Put integers where the turns are, for ever."""
        for what, value in values.items():
            cache.set(f"outbox:{what}:default:{effects.make_group.name}", value, None)

    @pytest.mark.parametrize("number", [0, 1, 2**62])
    def test_for_ever(self, sent: list[Any], number: int) -> None:
        """It holds calls for no longer than a wake-up that was lost."""
        self.forge(turn=number, flag=number, unanswered=number + MAX_UNANSWERED)
        sweep.sweep("default")
        assert sent == [effects.make_group.name]
        sweep.sweep("default")
        assert sent == [effects.make_group.name]  # this one gets its time

    def test_another_call(self, sent: list[Any]) -> None:
        """A call that has just become due is left to the wake-up that may be under way."""
        OutboxCall.objects.update(available_at=F("available_at") + timedelta(seconds=9))
        self.forge(turn=1, flag=1)
        sweep.sweep("default")
        assert sent == []
