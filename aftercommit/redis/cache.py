"""A Redis cache of integers, with clients that are kept.

Set ``"BACKEND": "aftercommit.redis.cache.RedisCache"``.

Django's RedisCache unpickles what it reads, and so runs the code of whoever can write to Redis.
This one reads integers and nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.cache import caches
from django.core.cache.backends import redis
from django.utils.module_loading import import_string

SOCKET_SECONDS = 5
"""The longest wait for an answer, if OPTIONS have no ``socket_timeout``. Some versions of redis-py
wait without a limit."""

LARGEST = 2**63
"""Integers are kept below this size, which is that of Redis' own."""


class IntegerSerializer:
    """Write integers alone, and read anything else as None."""

    def dumps(self, value: object) -> int:
        """Return the integer as it is kept. Raises TypeError for any other value."""
        if type(value) is not int:
            raise TypeError(
                f"aftercommit.redis.cache.RedisCache takes integers, not {type(value).__name__}. "
                "Keep other values in another alias of CACHES."
            )
        return value

    def loads(self, data: bytes) -> int | None:
        """Return the integer that is kept, or None if it is something else."""
        try:
            value = int(data)
        except ValueError:
            return None
        return value if 0 <= value < LARGEST else None


class KeepingClient(redis.RedisCacheClient):
    """A cache client that keeps a client of redis-py for each connection pool.

    Django's cache makes a client for each operation, which costs more than the operation. A client
    of redis-py holds no connection itself, so that threads can share it.
    """

    _client: Any
    _get_connection_pool: Callable[[bool], Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return the client of the server that the key is read from or written to."""
        pool = self._get_connection_pool(write)
        if pool not in self._clients:
            self._clients[pool] = self._client(connection_pool=pool)
        return self._clients[pool]


class RedisCache(redis.RedisCache):
    """Django's Redis cache for integers alone, with clients that are kept."""

    def __init__(self, server: Any, params: Mapping[str, Any]) -> None:
        options = {"socket_timeout": SOCKET_SECONDS, **params.get("OPTIONS", {})}
        options["serializer"] = IntegerSerializer
        super().__init__(server, {**params, "OPTIONS": options})
        self._class = KeepingClient


def integer_cache(alias: str) -> RedisCache | None:
    """Return a cache of integers on the server that the alias of CACHES names.

    Return None if the alias has another backend than Django's RedisCache or one derived from it:
    such a backend may unpickle what it reads, or be each process's own.
    """
    params = dict(caches.settings[alias])
    if not issubclass(import_string(params.pop("BACKEND")), redis.RedisCache):
        return None
    return RedisCache(params.pop("LOCATION", ""), params)
