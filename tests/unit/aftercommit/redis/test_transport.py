"""The broker's transport: which client a channel sends its commands by."""

from typing import Any

import pytest
from celery import current_app
from redis.exceptions import ConnectionError as RedisConnectionError

from aftercommit.redis import transport as broker


def test_keeps_its_client() -> None:
    """Commands share a client until the channel's connections are given up."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.channel()
        assert isinstance(channel, broker.Channel)
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
            assert first.ping()
            assert first is second
        channel._disconnect_pools()
        with channel.conn_or_acquire() as third:
            assert third.ping()
            assert third is not first


def test_outlives_its_connection() -> None:
    """Messages are given back, or a connection's error is raised, though it is closed already."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.channel()
        with channel.conn_or_acquire() as first:
            pass
        channel._disconnect_pools()
        client, channel.connection.client = channel.connection.client, None
        try:
            with channel.conn_or_acquire() as second:
                assert second is first
                assert second.ping()
        finally:
            first.connection_pool.disconnect()
            channel.connection.client = client


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_lets_go_of_a_message(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose end the server can't be told leaves room for the next message."""
    with current_app.connection_for_write() as connection:
        queue = connection.SimpleQueue("window")
        queue.put("a")
        message = queue.get(timeout=10)
        qos: Any = queue.channel.qos
        qos.prefetch_count = 1
        assert not qos.can_consume()

        def fail(*args: Any, **kwargs: Any) -> None:
            raise RedisConnectionError("the connection is dead")

        with monkeypatch.context() as patch:
            patch.setattr(qos, "_remove_from_indices", fail)
            patch.setattr(qos, "restore_by_tag", fail)
            with pytest.raises(RedisConnectionError):
                message.ack() if end == "ack" else message.reject(requeue=end == "requeue")
        assert qos.can_consume()
        queue.clear()


def test_sentinel() -> None:
    """The transport by way of Sentinel does so too."""
    assert broker.SentinelChannel.QoS is broker.Channel.QoS
