"""The load that the measure of growth makes, and what it sees of it."""

import itertools
from concurrent.futures import Future
from typing import Any

import pytest

from benchmarks.measures import growth
from benchmarks.measures.growth import Course, beats

WEB = 1


class Clock:
    """A time that passes where somebody sleeps, or does something."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the measure."""
    clock = Clock()
    monkeypatch.setattr(growth, "time", clock)
    return clock


class TestBeats:
    """A steady pace."""

    def test_pace(self, clock: Clock) -> None:
        """Four a second are eight in two seconds."""
        times = [clock.now for _ in beats(0.25, lambda passed: passed >= 2)]
        assert times == [100 + number / 4 for number in range(8)]

    def test_late(self, clock: Clock) -> None:
        """After one that took long the others follow at once, until the pace is kept again."""
        times = []
        for number in beats(0.25, lambda passed: passed >= 2):
            times.append(clock.now)
            clock.now += 0.75 if number == 0 else 0
        assert times == [100, *[100.75] * 3, 101, 101.25, 101.5, 101.75]


class Bench:
    """A bench with a table that grows, in which nothing else happens."""

    def __init__(self) -> None:
        self.servers = self
        self.looks = 0

    def query(self, sql: str, contender: str) -> list[tuple[int, ...]]:
        """The table's bytes, its indexes', its dead rows, the vacuums."""
        self.looks += 1
        return [(self.looks * 1_000_000, self.looks * 500_000, self.looks * 10, self.looks + 6)]

    def child(self, name: str) -> "Bench":
        """What claims."""
        return self

    def run(self, function: str, times: int) -> list[float]:
        """The times of its claims."""
        return [float(self.looks)] * times


@pytest.mark.usefixtures("clock")
def test_course(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory at each beat; the table at each tenth and at the end, which has its own result."""
    bench: Any = Bench()
    asked: Future[int] = Future()
    looks = itertools.count(1)

    def megabytes(pid: int) -> float:
        if pid == WEB and next(looks) == 11:
            asked.set_result(0)
        return float(pid)

    monkeypatch.setattr(growth, "megabytes", megabytes)
    course = Course(bench, WEB, [2, 3])
    course.follow(asked)
    found = {each.condition: each.values for each in course.results("")}
    assert found["memory of the web process"] == [float(WEB)] * 11
    assert found["memory of the worker"] == [5.0] * 11
    assert found["under load: outbox table"] == [2.0, 3.0, 4.0]
    assert found["under load: vacuums of the outbox table"] == [1, 2, 3]
    assert found["under load: a claim"] == [2.0, 3.0, 4.0]
    assert found["indexes of the outbox table, after the load"] == [2.0]
