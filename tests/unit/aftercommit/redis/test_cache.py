"""The cache of integers: what it takes, and that it runs nothing of what it reads."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from aftercommit.redis.cache import SOCKET_SECONDS, RedisCache, integer_cache
from tests.connections import redis_url

KEY = "number"


class Exploit:
    """What creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def cache() -> Iterator[RedisCache]:
    """The cache of integers on the tests' server, empty."""
    cache = integer_cache("default")
    assert cache is not None
    cache.clear()
    yield cache
    cache.clear()


def store(cache: RedisCache, value: Any) -> None:
    """Have the server hold the value under the key, as anybody who reaches it can."""
    with Redis.from_url(redis_url()) as redis:
        redis.set(cache.make_key(KEY), value)


class TestRedisCache:
    """``aftercommit.redis.cache.RedisCache``."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [({}, SOCKET_SECONDS), ({"socket_timeout": 1}, 1), ({"socket_timeout": None}, None)],
    )
    def test_limit(self, given: dict[str, Any], expected: float | None) -> None:
        """It waits for an answer as long as the project says, or for five seconds."""
        cache: Any = RedisCache("redis://localhost", {"OPTIONS": given})
        client = cache._cache.get_client()
        assert client.connection_pool.connection_kwargs["socket_timeout"] == expected

    def test_limit_by_socket(self, tmp_path: Path) -> None:
        """A server behind a socket of the file system has the limit too."""
        cache = RedisCache(f"unix://{tmp_path / 'none.sock'}", {})
        with pytest.raises(RedisConnectionError, match=r"none\.sock"):
            cache.get(KEY)

    @pytest.mark.parametrize("value", [0, 1, 2**63 - 1])
    def test_integers(self, cache: RedisCache, value: int) -> None:
        """It keeps integers."""
        cache.set(KEY, value, None)
        assert cache.get(KEY) == value
        assert cache.get_many([KEY, "other"]) == {KEY: value}

    @pytest.mark.parametrize("value", ["text", 1.5, True, None, [1], b"1"])
    def test_fail_anything_else(self, cache: RedisCache, value: object) -> None:
        """It refuses what it could not give back."""
        with pytest.raises(TypeError, match=f"takes integers, not {type(value).__name__}"):
            cache.set(KEY, value, None)

    @pytest.mark.parametrize(
        "value",
        [b"", b"text", b"1.5", b"-1", b"9" * 30, b"9" * 10_000, b"\xb2", b"\xff\x00", b"nan"],
    )
    def test_reads_nothing_else(self, cache: RedisCache, value: bytes) -> None:
        """Whatever else the server holds is no value."""
        store(cache, value)
        assert cache.get(KEY) is None
        assert cache.get_many([KEY]) == {KEY: None}

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_unpickles_nothing(self, cache: RedisCache, tmp_path: Path, protocol: int) -> None:
        """A pickle that somebody stored is not run."""
        path = tmp_path / "run"
        store(cache, pickle.dumps(Exploit(path), protocol))
        assert cache.get(KEY) is None
        assert cache.get_many([KEY]) == {KEY: None}
        assert not path.exists()

    def test_fails_to_read_a_list(self, cache: RedisCache) -> None:
        """A key of another type is like none where many are asked for."""
        with Redis.from_url(redis_url()) as redis:
            redis.rpush(cache.make_key(KEY), "1")
        assert cache.get_many([KEY]) == {}


class TestIntegerCache:
    """``integer_cache``."""

    @pytest.mark.parametrize(
        "backend",
        ["aftercommit.redis.cache.RedisCache", "django.core.cache.backends.redis.RedisCache"],
    )
    def test_same_keys(self, settings: Any, backend: str) -> None:
        """It has the keys and the options of the alias, but nothing that unpickles."""
        settings.CACHES = {
            "default": {
                "BACKEND": backend,
                "LOCATION": redis_url(),
                "KEY_PREFIX": "project",
                "VERSION": 3,
                "OPTIONS": {"socket_timeout": 5, "serializer": "pickle.Unpickler"},
            }
        }
        cache = integer_cache("default")
        assert cache is not None
        cache.set(KEY, 7, None)
        assert cache.get(KEY) == 7
        assert cache.make_key(KEY) == caches["default"].make_key(KEY) == f"project:3:{KEY}"

    @pytest.mark.parametrize(
        "backend",
        ["locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache", "filebased.FileBasedCache"],
    )
    def test_none(self, settings: Any, backend: str) -> None:
        """There is none on what unpickles, or is each process's own."""
        path = f"django.core.cache.backends.{backend}"
        settings.CACHES = {"default": {"BACKEND": path, "LOCATION": "any"}}
        assert integer_cache("default") is None
