"""The options of Celery's connections to Redis. Nothing here needs the package ``redis``."""

from collections.abc import Mapping
from typing import Any

OPTIONS: Mapping[str, float] = {
    # Without limits, a publish to a server that doesn't answer waits for minutes.
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    # A connection that died without a word is noticed after one to two of these, not 25 s.
    "health_check_interval": 5,
}
"""The defaults of ``broker_transport_options``. Those that the project sets hold before them."""


class DefaultOptions:
    """Complete the transport options of a connection.

    They are completed in the connection: kombu reads most of them for each channel, and the
    interval of its health checks for the worker's event loop.
    """

    def __init__(self, client: Any, **kwargs: Any) -> None:
        client.transport_options = {**OPTIONS, **client.transport_options}
        super().__init__(client, **kwargs)  # type: ignore[call-arg]  # kombu's transport
