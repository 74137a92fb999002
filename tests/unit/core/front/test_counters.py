"""Counters that processes share: exact at the same moment, and there while Redis isn't."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from core.front import counters
from core.front.counters import take
from core.front.own_counts import LEFT, MOST_KEPT, Full, OwnCounts, Window
from tests.throttles import forget_counts

KEY = "aftercommit:throttle:test"

Take = Callable[[list[Window]], Full | None]


@pytest.fixture(autouse=True)
def _anew() -> None:
    forget_counts()


@pytest.fixture
def redis() -> Any:
    """Return a client of the server that has the counts."""
    return counters._script().registered_client


@pytest.fixture(params=["redis", "own"])
def take_place(request: pytest.FixtureRequest) -> Take:
    """Return either way to count."""
    return take if request.param == "redis" else OwnCounts().take


def test_full(take_place: Take) -> None:
    """So many are taken, and then none before the window's end."""
    window = Window(KEY, 3, 60)
    assert [take_place([window]) for _ in range(3)] == [None] * 3
    full = take_place([window])
    assert full is not None
    assert full.place == 0
    assert 58 <= full.seconds <= 60


def test_all_or_none(take_place: Take) -> None:
    """A request that one window refuses takes no place in the others.

    Else one client could fill the window of a name for everybody, by tries that are refused.
    """
    narrow, wide = Window(f"{KEY}:narrow", 1, 60), Window(f"{KEY}:wide", 2, 60)
    assert take_place([wide, narrow]) is None
    for _ in range(9):
        full = take_place([wide, narrow])
        assert full is not None
        assert full.place == 1
    assert take_place([wide]) is None
    assert take_place([wide]) is not None


def test_at_the_same_moment(take_place: Take) -> None:
    """Of fifty at once exactly as many are let through as there are places."""
    start = threading.Barrier(50)

    def one(_: int) -> bool:
        start.wait()
        return take_place([Window(f"{KEY}:a", 7, 60), Window(f"{KEY}:b", 9, 60)]) is None

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(one, range(50))) == 7


def test_end(redis: Any) -> None:
    """A count ends with its window, however often somebody tries."""
    window = Window(KEY, 1, 60)
    take([window])
    redis.pexpire(KEY, 30_000)
    full = take([window])
    assert full is not None
    assert 28 <= full.seconds <= 30
    redis.pexpire(KEY, 0)
    assert take([window]) is None


def test_nothing() -> None:
    """Without a window nothing is refused, and nothing asked."""
    assert take([]) is None


@pytest.mark.parametrize(
    "value", [b"", b"x", b"-5", b"1.5", b"1e9", b"inf", b"\x80\x04.", b"9" * 30, b" 1", b"0x10"]
)
def test_forged_text(redis: Any, value: bytes) -> None:
    """What is no count is read as none, and is replaced."""
    redis.set(KEY, value)
    assert take([Window(KEY, 1, 60)]) is None
    assert redis.get(KEY) == b"1"
    assert 0 < redis.ttl(KEY) <= 60
    assert take([Window(KEY, 1, 60)]) is not None


def test_forged_type(redis: Any) -> None:
    """So is a key of another type."""
    redis.rpush(KEY, "1", "2")
    assert take([Window(KEY, 1, 60)]) is None
    assert redis.get(KEY) == b"1"


@pytest.mark.parametrize("seconds", [None, 10**9])
def test_forged_end(redis: Any, seconds: int | None) -> None:
    """A count that would stay for ever refuses for one window and no longer."""
    redis.set(KEY, 5, ex=seconds)
    full = take([Window(KEY, 1, 60)])
    assert full is not None
    assert full.seconds <= 60
    assert 0 < redis.ttl(KEY) <= 60


@pytest.fixture
def _no_redis(settings: Settings) -> None:
    """Have nobody listen where the counts are."""
    nowhere = settings.CACHES["counters"] | {"LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = settings.CACHES | {"counters": nowhere}


@pytest.mark.usefixtures("_no_redis")
def test_outage(caplog: pytest.LogCaptureFixture) -> None:
    """While Redis is down the process counts for itself, and asks it once in a while."""
    results = [take([Window(KEY, 2, 60)]) for _ in range(5)]
    assert results[:2] == [None, None]
    assert None not in results[2:]
    assert caplog.text.count("Redis failed, and limits are counted by each process") == 1


@pytest.mark.usefixtures("_no_redis")
def test_outage_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Redis is asked again after the pause."""
    take([Window(KEY, 2, 60)])
    counters.outage._until -= counters.PAUSE_SECONDS
    take([Window(KEY, 2, 60)])
    assert caplog.text.count("Redis failed") == 2


def test_no_redis_at_all(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A site without Redis among its caches counts by process, and says so once."""
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = settings.CACHES | {"counters": memory}
    assert [take([Window(KEY, 1, 60)]) is None for _ in range(2)] == [True, False]
    assert caplog.text.count("There is no Redis, so each process counts limits for itself.") == 1


def test_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread reads a count of the process while another is about to change it."""
    own, read = OwnCounts(), OwnCounts._read

    def read_alone(self: OwnCounts, window: Window, now: float) -> tuple[int, float]:
        assert self._lock.locked()
        return read(self, window, now)

    monkeypatch.setattr(OwnCounts, "_read", read_alone)
    assert own.take([Window("a", 1, 60)]) is None


def test_memory() -> None:
    """Nobody can fill the memory of a process: the oldest counts go, many at a time."""
    own = OwnCounts()
    own._counts = {str(n): (1, float("inf")) for n in range(MOST_KEPT)}
    own.take([Window("new", 1, 60)])
    assert len(own._counts) == LEFT < MOST_KEPT
    assert "0" not in own._counts
    assert str(MOST_KEPT - 1) in own._counts
    assert own.take([Window("new", 1, 60)]) is not None


def test_memory_ended() -> None:
    """Counts that have ended go first."""
    own = OwnCounts()
    own._counts = {str(n): (1, 0.0 if n % 2 else float("inf")) for n in range(MOST_KEPT)}
    own.take([Window("new", 1, 60)])
    assert len(own._counts) == MOST_KEPT // 2 + 1
