"""Celery's Redis transport with clients that are kept; ``celery_app.py`` puts it in its place."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """kombu's makes a client of redis-py for each command, which costs as much as the command.

    One does, as long as its connection pool is the channel's: it holds no connection itself.
    """

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:  # one that blocks, for long, and is kept already
            return super()._create_client(asynchronous)  # type: ignore[misc]  # not in its stubs
        try:
            pool = self.pool
        except AttributeError:
            # The connection has been closed and doesn't know its address any more; messages that
            # weren't acknowledged are to be given back. kombu expects a connection's errors then,
            # and this one ended the worker.
            if self._kept is None:
                raise
            return self._kept
        if self._kept is None or self._kept.connection_pool is not pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class Transport(redis.Transport):
    """kombu's Redis transport, in less time."""

    Channel = Channel
