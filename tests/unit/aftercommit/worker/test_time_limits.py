"""Time limits of single calls, within this process; those of a worker's are in integration."""

import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from aftercommit.worker import time_limits
from aftercommit.worker.drain import drain_task
from aftercommit.worker.time_limits import (
    Limits,
    RunningCall,
    hold_limits,
    limit_time,
    worker_init_take_limits,
)
from tests.unit.aftercommit import effects

NONE = Limits(None, None)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Hold limits in this process; a process that would be killed is noted by its call's name."""
    running, names = RunningCall(enabled=True), []
    monkeypatch.setattr(time_limits, "_running", running)
    monkeypatch.setattr(time_limits, "_kill", lambda: names.append(running.name))
    before = signal.signal(signal.SIGALRM, time_limits._on_alarm)
    yield names
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def wait_for_ever() -> None:
    """Return when a test gives up."""
    threading.Event().wait(20)


def test_soft(killed: list[str]) -> None:
    """A call over its soft limit is told by an exception, once."""
    with pytest.raises(SoftTimeLimitExceeded), limit_time(Limits(0.05, None), "slow"):
        wait_for_ever()
    assert killed == []


def test_hard(killed: list[str]) -> None:
    """The process of a call over its hard limit is killed, though it was told before."""
    with limit_time(Limits(0.05, 0.1), "stubborn"):
        with pytest.raises(SoftTimeLimitExceeded):
            wait_for_ever()
        while not killed:
            signal.sigtimedwait([], 0.01)
    assert set(killed) == {"stubborn"}


def test_each_its_own(killed: list[str]) -> None:
    """A timer that an earlier call has left sets off nothing in a later one that is in time."""
    with limit_time(Limits(0.1, 0.1), "quick"):
        pass
    deadline = threading.Event()
    with limit_time(Limits(30, 30), "later"):
        deadline.wait(0.2)
    assert killed == []
    with pytest.raises(SoftTimeLimitExceeded), limit_time(Limits(0.05, None), "slow"):
        wait_for_ever()


def test_taken_by_a_call(killed: list[str]) -> None:
    """A drain holds its limits also if a call before it took the process's timer and signal."""
    with limit_time(Limits(30, None), "thief"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(0)
    hold_limits()
    with pytest.raises(SoftTimeLimitExceeded), limit_time(Limits(0.05, None), "slow"):
        wait_for_ever()


@pytest.mark.django_db
def test_held_by_a_drain(killed: list[str]) -> None:
    """Each drain begins so."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    drain_task(effects.make_group, "default")
    assert signal.getsignal(signal.SIGALRM) is time_limits._on_alarm


def test_after_the_call(killed: list[str]) -> None:
    """A timer that goes off between two calls sets off nothing."""
    with limit_time(Limits(0.05, 0.05), "quick"):
        pass
    threading.Event().wait(0.1)
    assert killed == []


def test_not_held() -> None:
    """Outside a pool's process nothing is limited."""
    with limit_time(Limits(1e-6, 1e-6), "any"):
        threading.Event().wait(0.01)


@pytest.mark.parametrize(
    ("own", "worker", "general", "expected"),
    [
        ((None, None), (None, None), (None, None), Limits(None, None)),
        ((None, None), (None, None), (7, 8), Limits(7, 8)),
        ((None, None), (5, 6), (7, 8), Limits(5, 6)),
        ((3, 4), (5, 6), (7, 8), Limits(3, 4)),
    ],
)
def test_whose(own: Any, worker: Any, general: Any, expected: Limits, monkeypatch: Any) -> None:
    """The task's own limits go first, then the worker's command line, then the setting."""
    monkeypatch.setattr(effects.make_group, "soft_time_limit", own[0])
    monkeypatch.setattr(effects.make_group, "time_limit", own[1])
    monkeypatch.setattr(time_limits, "_defaults", Limits(*worker))
    conf = SimpleNamespace(task_soft_time_limit=general[0], task_time_limit=general[1])
    monkeypatch.setattr(time_limits, "current_app", SimpleNamespace(conf=conf))
    assert Limits.of(effects.make_group) == expected


@pytest.mark.parametrize(
    ("pool", "warns"),
    [
        ("celery.concurrency.prefork:TaskPool", False),
        ("celery.concurrency.thread:TaskPool", True),
        (SimpleNamespace(__module__="celery.concurrency.gevent"), True),
    ],
)
def test_pool(
    pool: Any, warns: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose pool can hold no limit says so when it starts."""
    monkeypatch.setattr(time_limits, "_defaults", NONE)
    worker_init_take_limits(SimpleNamespace(pool_cls=pool, soft_time_limit=1, time_limit=2))
    assert time_limits._defaults == Limits(1, 2)
    assert ("No time limit is held for calls in this worker" in caplog.text) is warns
