"""Celery's Redis transports with clients that are kept, and with time limits for each connection.

``defaults.py`` puts them in the place of kombu's.
"""

from typing import Any

from kombu.transport import redis

from aftercommit.redis.broken_messages import SurvivesMessages
from aftercommit.redis.options import DefaultOptions


class KeptClient:
    """Keep a channel's client of redis-py.

    kombu creates one for each command, which costs as much as the command. A client holds no
    connection itself, so that it can be kept as long as its connection pool is the channel's.
    """

    _kept: Any = None

    def _create_client(self: Any, asynchronous: bool = False) -> Any:
        if asynchronous:  # this one blocks, for long, and is kept by kombu
            return super()._create_client(asynchronous)  # type: ignore[misc]  # not in its stubs
        try:
            pool = self.pool
        except AttributeError:
            # The connection was closed and has forgotten its address, while messages that weren't
            # acknowledged are given back. kombu expects a connection's error here. The
            # AttributeError would end the worker.
            if self._kept is None:
                raise
            return self._kept
        if self._kept is None or self._kept.connection_pool is not pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class QoS(redis.QoS):
    """Let go of a message also if the server could not be told of its end.

    With kombu's own class the message would count as being worked on for ever. A worker that takes
    one message at a time then asks for no other, and so never notices that its connection is dead.
    The server still has the message, and delivers it again after its visibility timeout.
    """

    _quick_ack: Any  # not in kombu's stubs

    def ack(self, delivery_tag: Any) -> None:
        """Acknowledge the message. Raises the connection's error if the server can't be told."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            self._quick_ack(delivery_tag)
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Reject the message. Raises the connection's error if the server can't be told."""
        try:
            super().reject(delivery_tag, requeue)
        except BaseException:
            self._quick_ack(delivery_tag)
            raise


class Channel(SurvivesMessages, KeptClient, redis.Channel):  # type: ignore[misc]  # of any class
    """kombu's channel, in less time."""

    QoS = QoS


class Transport(DefaultOptions, redis.Transport):
    """kombu's Redis transport, in less time."""

    Channel = Channel


class SentinelChannel(SurvivesMessages, KeptClient, redis.SentinelChannel):  # type: ignore[misc]
    """kombu's channel to the server that is the primary, in less time."""

    QoS = QoS


class SentinelTransport(DefaultOptions, redis.SentinelTransport):
    """kombu's transport by way of Redis Sentinel, in less time."""

    Channel = SentinelChannel
