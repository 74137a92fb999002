"""Celery's transport for RabbitMQ, which waits no longer than the block that sends allows.

``defaults.py`` puts it in the place of kombu's. The limit is that of a block and not of a
connection, because consumers wait by design. The option ``read_timeout`` of py-amqp limits nothing:
py-amqp reads again after it.
"""

from collections.abc import Mapping
from typing import Any

from amqp.exceptions import RecoverableConnectionError
from amqp.transport import SSLTransport as AMQPOverTLS
from amqp.transport import TCPTransport as AMQPOverTCP
from kombu.transport import pyamqp

from aftercommit.amqp.limit import current_limit


class LimitedWrites:
    """Limit how long a socket takes to write, and to close."""

    def write(self: Any, data: bytes) -> None:
        """Write the data. Raises TimeoutError at the limit, and lets nobody use the socket then."""
        try:
            with self.having_timeout(current_limit()):
                super().write(data)  # type: ignore[misc]  # a mixin of py-amqp's transports
        except TimeoutError:
            self.connected = False  # It has a part of a frame.
            raise

    def close(self: Any) -> None:
        """Close the socket. TLS says goodbye first, and waits for an answer."""
        if self.sock is not None and (limit := current_limit()) is not None:
            self.sock.settimeout(limit)
        super().close()  # type: ignore[misc]


class OverTCP(LimitedWrites, AMQPOverTCP):
    """py-amqp's socket."""


class OverTLS(LimitedWrites, AMQPOverTLS):
    """py-amqp's socket with TLS."""


class Connection(pyamqp.Connection):
    """kombu's connection. It ends if the server doesn't answer within the block's limit."""

    def Transport(
        self,
        host: str,
        connect_timeout: float | None,
        ssl: bool | dict[str, Any] = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> Any:
        """Return the socket to connect with."""
        return (OverTLS if ssl else OverTCP)(
            host,
            connect_timeout=connect_timeout or current_limit(),
            ssl=ssl,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            socket_settings=socket_settings,
            **rest,
        )

    def connect(self, callback: Any = None) -> Any:
        """Connect. Raises TimeoutError if nobody answers in time, OSError if nobody is there."""
        try:
            return super().connect(callback)
        except TimeoutError as error:
            raise TimeoutError(f"No answer from RabbitMQ at {self.host}") from error

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read a frame. Raises RecoverableConnectionError at the block's limit."""
        limit = current_limit()
        if timeout is not None or limit is None:
            return super().blocking_read(timeout)
        try:
            return super().blocking_read(limit)
        except TimeoutError as error:
            self.collect()  # A late answer would be taken for that to another question.
            text = f"No answer from RabbitMQ at {self.host}"
            raise RecoverableConnectionError(text) from error


class Transport(pyamqp.Transport):
    """kombu's transport for RabbitMQ."""

    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):
    """kombu's transport for RabbitMQ over TLS."""

    Connection = Connection
