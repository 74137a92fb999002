"""The broker's transport: which client a channel sends its commands by."""

from typing import Any

from celery import current_app

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
