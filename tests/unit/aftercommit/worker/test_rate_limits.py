"""Rate limits of calls, within this process; those of a worker's are in integration."""

import multiprocessing
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from django.db import transaction

from aftercommit.models import OutboxCall
from aftercommit.worker import rate_limits
from aftercommit.worker.drain import drain_task
from aftercommit.worker.rate_limits import (
    RateLimit,
    follow_rate_limits,
    worker_init_share_rates,
)
from tests.unit.aftercommit import effects

TASK = effects.make_group.name


class Clock:
    """A clock that goes on by what is slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return 100 + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Go on."""
        self.slept.append(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In a worker, whose task has a limit of two a second."""
    clock = Clock()
    monkeypatch.setattr(rate_limits, "time", clock)
    monkeypatch.setattr(rate_limits, "_shared", {})
    monkeypatch.setattr(current_app.tasks[TASK], "rate_limit", "2/s")
    worker_init_share_rates()
    return clock


def limit_to(monkeypatch: pytest.MonkeyPatch, rate: Any) -> None:
    """Set the limit as Celery's remote control does, and sweep."""
    monkeypatch.setattr(current_app.tasks[TASK], "rate_limit", rate)
    follow_rate_limits("default")


def test_keeps_the_distance(clock: Clock) -> None:
    """The first call begins at once, each other half a second after the call before it."""
    rate = RateLimit(effects.make_group)
    assert [rate.wait_for_slot() for _ in range(3)] == [True] * 3
    assert clock.slept == [0, 0.5, 0.5]


def test_makes_room(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that would have to wait for long leaves the call where it is."""
    limit_to(monkeypatch, "6/m")
    rate = RateLimit(effects.make_group)
    assert rate.wait_for_slot()
    assert not rate.wait_for_slot()
    assert clock.slept == [0]


def test_none(clock: Clock) -> None:
    """A task without a limit waits for nothing."""
    rate = RateLimit(effects.make_groups)
    assert not rate.is_limited
    assert [rate.wait_for_slot() for _ in range(3)] == [True] * 3
    rate.return_slot()
    assert clock.slept == []


@pytest.mark.parametrize("is_disabled", [False, True])
def test_no_worker(monkeypatch: pytest.MonkeyPatch, is_disabled: bool) -> None:
    """There is no limit outside a worker, nor in a worker with ``worker_disable_rate_limits``."""
    monkeypatch.setattr(rate_limits, "_shared", {})
    if is_disabled:
        worker_init_share_rates(SimpleNamespace(disable_rate_limits=True))
    rate = RateLimit(effects.make_group)
    assert not rate.is_limited
    assert rate.wait_for_slot()


class TestRemoteControl:
    """Celery's remote control changes a limit in the worker's main process."""

    def test_changed(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        """The drain that runs follows a new limit, and waits for no slot of the old one."""
        limit_to(monkeypatch, "1/h")
        rate = RateLimit(effects.make_group)
        assert rate.wait_for_slot()
        assert not rate.wait_for_slot()
        limit_to(monkeypatch, "4/s")
        assert [rate.wait_for_slot() for _ in range(2)] == [True] * 2
        assert clock.slept == [0, 0, 0.25]

    @pytest.mark.parametrize("rate", [None, 0, "0"])
    def test_lifted(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, rate: Any) -> None:
        """Without a limit calls don't wait any more."""
        limited = RateLimit(effects.make_group)
        limit_to(monkeypatch, rate)
        assert not limited.is_limited
        assert [limited.wait_for_slot() for _ in range(3)] == [True] * 3
        assert clock.slept == []

    def test_first_limit(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        """A task that had no limit as the worker started gets one."""
        monkeypatch.setattr(current_app.tasks[effects.make_groups.name], "rate_limit", "2/s")
        rate = RateLimit(effects.make_groups)
        follow_rate_limits("default")
        assert [rate.wait_for_slot() for _ in range(2)] == [True] * 2
        assert clock.slept == [0, 0.5]

    def test_reaches_another_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that was forked before follows the new limit."""
        context = multiprocessing.get_context("fork")
        followed, answers = context.Event(), context.SimpleQueue()
        limited = RateLimit(effects.make_group)

        def tell() -> None:
            followed.wait(60)
            answers.put(limited.is_limited)

        process = context.Process(target=tell)
        process.start()
        limit_to(monkeypatch, None)
        followed.set()
        assert answers.get() is False
        process.join(60)


class TestKilled:
    """A process that was killed while it took a slot."""

    def test_holds_the_lock(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its lock holds up the other processes once, for a moment."""
        monkeypatch.setattr(rate_limits, "LOCK_SECONDS", 0.1)
        lock = rate_limits._shared[TASK]._lock
        lock.acquire()
        rate = RateLimit(effects.make_group)
        assert [rate.wait_for_slot() for _ in range(2)] == [True] * 2
        assert clock.slept == [0, 0.5]
        assert lock.acquire(block=False)
        lock.release()


@pytest.mark.django_db(transaction=True)
class TestDrain:
    """A drain of a task with a limit."""

    @pytest.mark.parametrize("task", [effects.make_group, effects.send_outside])
    def test_empty(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
        """A drain that finds no call leaves its slot to the next call."""
        monkeypatch.setattr(current_app.tasks[task.name], "rate_limit", "2/s")
        follow_rate_limits("default")
        for _ in range(3):
            drain_task(current_app.tasks[task.name], "default")
        assert clock.slept == [0, 0, 0]
        task.delay_on_commit("a")
        assert drain_task(current_app.tasks[task.name], "default").settled == 1
        assert clock.slept[:4] == [0, 0, 0, 0]

    def test_turn_of_another(self) -> None:
        """A slot is not given back behind the back of a process that took the next one."""
        first, second = RateLimit(effects.make_group), RateLimit(effects.make_group)
        assert first.wait_for_slot()
        assert second.wait_for_slot()
        taken = rate_limits._shared[TASK]._next.value
        first.return_slot()
        assert rate_limits._shared[TASK]._next.value == taken

    @pytest.mark.parametrize("task", [effects.make_group, effects.name_group])
    def test_one_by_one(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
        """Each call waits for its slot, also where a statement could settle all of them at once."""
        monkeypatch.setattr(current_app.tasks[task.name], "rate_limit", "2/s")
        follow_rate_limits("default")
        with transaction.atomic():
            for name in "abc":
                task.delay_on_commit(name=name)
        assert drain_task(current_app.tasks[task.name], "default").settled == 3
        assert clock.slept[:3] == [0, 0.5, 0.5]
        assert not OutboxCall.objects.exists()


def test_late_task(caplog: pytest.LogCaptureFixture) -> None:
    """A task that the worker met after its start can't share its rate, and is named once."""
    late = SimpleNamespace(name="shop.tasks.late", rate_limit="2/s")
    assert not RateLimit(late).is_limited
    assert not RateLimit(late).is_limited
    RateLimit(SimpleNamespace(name="shop.tasks.unlimited", rate_limit=None))
    (said,) = caplog.messages
    assert "shop.tasks.late: its rate limit 2/s does not hold." in said
    assert said.endswith("Name the task's module in CELERY_IMPORTS.")
