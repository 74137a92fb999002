"""Which drain of a task was the last to begin, and how long a wake-up holds back others."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from redis import Redis

from aftercommit.outbox import turns as module
from aftercommit.outbox.turns import (
    MAX_HOLD_SECONDS,
    MAX_UNANSWERED,
    Turn,
    begin_turn,
    hold_back,
    read_turns,
)
from aftercommit.outbox.wake_message import SENT, TURN, is_overtaken
from tests.connections import redis_url
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.redis.test_cache import Exploit

TASK = effects.make_group.name
TARGET = ("default", TASK)
FLAG, UNANSWERED = f"outbox:flag:default:{TASK}", f"outbox:unanswered:default:{TASK}"


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def turn() -> Turn:
    """The task's turn."""
    return read_turns([TARGET])[TARGET]


def send() -> int:
    """Note that a wake-up was sent; for how many seconds it holds back others."""
    hold_back(*TARGET, turn())
    return round(held())


def held() -> float:
    """For how many seconds other wake-ups are held back."""
    client: Any = cache._cache.get_client(FLAG)  # type: ignore[attr-defined]
    return float(client.ttl(cache.make_key(FLAG)))


class TestTurns:
    """``read_turns``."""

    def test_nothing_deferred(self) -> None:
        """Of a task that was never woken nothing is known."""
        assert turn() == Turn(0, None, 0)
        assert not turn().is_woken
        assert read_turns([]) == {}

    def test_woken(self) -> None:
        """A wake-up holds back another until a drain begins."""
        for _ in range(2):
            send()
            assert turn().is_woken
            begin_turn(*TARGET)
            assert not turn().is_woken

    def test_many(self) -> None:
        """Each task has its own turn in each database."""
        begin_turn(*TARGET)
        other, elsewhere = ("default", "other"), ("second", TASK)
        assert [each.begun > 0 for each in read_turns([TARGET, other, elsewhere]).values()] == [
            *(True, False, False)
        ]

    @pytest.mark.parametrize(
        "value", [b"text", b"1.5", b"-1", b"9" * 30, b"\xff\x00", b"", pickle.dumps(1)]
    )
    def test_not_an_integer(self, value: bytes, settings: Any) -> None:
        """What is no integer of ours is not known, and replaced by the next."""
        with Redis.from_url(redis_url()) as redis:
            for name in module._keys(TARGET):
                redis.set(cache.make_key(name), value)
        assert turn() == Turn(0, None, 0)
        assert not is_overtaken(*TARGET, {TURN: 1, SENT: 1})
        send()
        assert turn().is_woken
        begin_turn(*TARGET)
        assert turn().begun

    @pytest.mark.parametrize(
        "backend",
        ["aftercommit.redis.cache.RedisCache", "django.core.cache.backends.redis.RedisCache"],
    )
    def test_unpickles_nothing(self, backend: str, settings: Any, tmp_path: Path) -> None:
        """A pickle that somebody put in Redis isn't run, whichever cache the project has."""
        location = {"LOCATION": redis_url()}
        settings.CACHES = {"default": {"BACKEND": backend, **location}}
        path = tmp_path / "run"
        with Redis.from_url(redis_url()) as redis:
            for name in module._keys(TARGET):
                redis.set(cache.make_key(name), pickle.dumps(Exploit(path)))
        assert turn() == Turn(0, None, 0)
        assert not is_overtaken(*TARGET, {TURN: 1, SENT: 1})
        assert not path.exists()

    @pytest.mark.parametrize("backend", ["locmem.LocMemCache", "filebased.FileBasedCache"])
    def test_other_cache(self, backend: str, settings: Any, tmp_path: Path) -> None:
        """A cache that unpickles, or is each process's own, isn't used: nothing is known."""
        path = f"django.core.cache.backends.{backend}"
        settings.CACHES = {"default": {"BACKEND": path, "LOCATION": str(tmp_path)}}
        begin_turn(*TARGET)
        hold_back(*TARGET, turn())
        assert turn() == Turn(0, None, 0)
        assert list(tmp_path.iterdir()) == []

    def test_own_alias(self, settings: Any) -> None:
        """``OUTBOX_CACHE`` names the cache."""
        own = {"BACKEND": "aftercommit.redis.cache.RedisCache", "LOCATION": redis_url()}
        away = {**own, "LOCATION": "redis://127.0.0.1:1"}
        settings.CACHES = {"default": away, "outbox": {**own, "KEY_PREFIX": "own"}}
        begin_turn(*TARGET)
        assert not turn().begun
        settings.OUTBOX_CACHE = "outbox"
        begin_turn(*TARGET)
        assert turn().begun
        with Redis.from_url(redis_url()) as redis:
            assert redis.exists(f"own:1:outbox:turn:default:{TASK}")

    def test_no_such_alias(self, settings: Any) -> None:
        """One that isn't there fails nobody: a check names it."""
        settings.OUTBOX_CACHE = "nothing"
        begin_turn(*TARGET)
        assert turn() == Turn(0, None, 0)


class TestHoldBack:
    """``hold_back``: wake-ups that nobody answers become rarer."""

    def unanswered(self) -> int:
        """Note a wake-up that was lost; for how many seconds it held back others."""
        seconds = send()
        cache.delete(FLAG)  # it expires
        return seconds

    def test_rarer(self, settings: Any) -> None:
        """The first may be lost; of those after them each holds back for twice as long."""
        settings.OUTBOX_WAKE_TTL = 5
        seconds = [self.unanswered() for _ in range(20)]
        assert seconds == [5, 5, 5, 5, 10, 20, 40, 80, *[MAX_HOLD_SECONDS] * 12]
        assert turn().unanswered == MAX_UNANSWERED

    def test_answered(self, settings: Any) -> None:
        """A drain that begins answers all of them."""
        settings.OUTBOX_WAKE_TTL = 5
        for _ in range(6):
            self.unanswered()
        begin_turn(*TARGET)
        assert turn().unanswered == 0
        assert [self.unanswered() for _ in range(5)] == [5, 5, 5, 5, 10]

    def test_long_setting(self, settings: Any) -> None:
        """An ``OUTBOX_WAKE_TTL`` above the longest holds from the first one."""
        settings.OUTBOX_WAKE_TTL = 500
        assert [self.unanswered() for _ in range(2)] == [500, 500]

    def test_fraction(self, settings: Any) -> None:
        """One of less than a second holds back for a second: Redis counts whole ones."""
        settings.OUTBOX_WAKE_TTL = 0.2
        assert send() == 1

    def test_in_use(self) -> None:
        """Of wake-ups that are answered within their time none is counted."""
        begin_turn(*TARGET)
        send()
        cache.delete(UNANSWERED)
        for _ in range(3):
            begin_turn(*TARGET)
            send()
        assert cache.get(UNANSWERED) is None
