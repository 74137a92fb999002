"""Django's Redis cache with clients that are kept: ``"BACKEND": "core.cache.RedisCache"``."""

from collections.abc import Callable
from typing import Any

from django.core.cache.backends import redis


class KeepingClient(redis.RedisCacheClient):
    """Django's makes a client of redis-py for each operation, which costs more than the rest of it.

    One a connection pool does: its clients hold no connection themselves.
    """

    _client: Any
    _get_connection_pool: Callable[[bool], Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """The client of the server that the key is read from or written to."""
        pool = self._get_connection_pool(write)
        if pool not in self._clients:
            self._clients[pool] = self._client(connection_pool=pool)
        return self._clients[pool]


class RedisCache(redis.RedisCache):
    """Django's Redis cache, in less time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._class = KeepingClient
