"""Rate limits of calls, within this process; those of a worker's are in integration."""

import multiprocessing
from types import SimpleNamespace
from typing import Any

import pytest

from aftercommit.worker import rate_limits
from aftercommit.worker.rate_limits import has_rate_limit, wait_for_rate
from tests.unit.aftercommit import effects


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by what is slept; the task has a limit of two a second."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: 100 + sum(slept), sleep=slept.append)
    monkeypatch.setattr(rate_limits, "time", clock)
    monkeypatch.setattr(effects.make_group, "rate_limit", "2/s")
    value = multiprocessing.get_context("fork").Value("d", 0.0)
    monkeypatch.setitem(rate_limits._next, effects.make_group.name, value)
    return slept


def test_keeps_the_distance(slept: Any) -> None:
    """The first begins at once, each other half a second after the one before."""
    assert [wait_for_rate(effects.make_group) for _ in range(3)] == [True] * 3
    assert slept == [0, 0.5, 0.5]


def test_makes_room(slept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that would have to wait for long leaves the call where it is."""
    monkeypatch.setattr(effects.make_group, "rate_limit", "6/m")
    assert wait_for_rate(effects.make_group)
    assert not wait_for_rate(effects.make_group)
    assert slept == [0]


def test_none(slept: Any) -> None:
    """A task without a limit, and one outside a worker, waits for nothing."""
    assert not has_rate_limit(effects.make_groups)
    assert wait_for_rate(effects.make_groups)
    assert slept == []
