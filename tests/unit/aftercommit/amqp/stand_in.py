"""A server that speaks as much AMQP as a publisher needs, up to a method that it never answers."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

Method = tuple[int, int]
"""The class and the number of a method of AMQP."""

NAME = b"\x00"
TEXT = b"\x00\x00\x00\x00"
START_OK, OPEN = (10, 11), (10, 40)
CHANNEL_OPEN, EXCHANGE_DECLARE, QUEUE_DECLARE = (20, 10), (40, 10), (50, 10)
QUEUE_BIND, PUBLISH, CONFIRM_SELECT = (50, 20), (60, 40), (85, 10)

START = (10, 10), b"\x00\x09" + TEXT + b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"
ANSWERS: dict[Method, tuple[Method, bytes]] = {
    START_OK: ((10, 30), struct.pack(">HIH", 100, 131072, 0)),
    OPEN: ((10, 41), NAME),
    CHANNEL_OPEN: ((20, 11), TEXT),
    EXCHANGE_DECLARE: ((40, 11), b""),
    QUEUE_DECLARE: ((50, 11), NAME + struct.pack(">II", 0, 0)),
    QUEUE_BIND: ((50, 21), b""),
    CONFIRM_SELECT: ((85, 11), b""),
    PUBLISH: ((60, 80), struct.pack(">QB", 1, 0)),
}


class StandIn:
    """The server. Each connection becomes silent at the method ``silent``."""

    def __init__(self, silent: Method | None = None, reads_on: bool = True) -> None:
        self.silent, self._reads_on = silent, reads_on
        self.asked: list[Method] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address of the broker."""
        return f"amqp://guest:guest@127.0.0.1:{self._socket.getsockname()[1]}//"

    def close(self) -> None:
        """Close all connections."""
        for each in [self._socket, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, struct.error), client.makefile("rb") as stream:
            stream.read(8)
            send(client, 0, *START)
            while True:
                kind, channel, size = struct.unpack(">BHI", stream.read(7))
                payload = stream.read(size + 1)
                if kind == 1 and not self._answer(client, channel, payload):
                    break
            while self._reads_on and stream.read(1):
                pass

    def _answer(self, client: socket.socket, channel: int, payload: bytes) -> bool:
        """Answer the method, if it isn't the one. Return whether it was answered."""
        asked = struct.unpack(">HH", payload[:4])
        self.asked.append(asked)
        if asked == self.silent:
            return False
        if (answer := ANSWERS.get(asked)) is not None:
            send(client, channel, *answer)
        return True


def send(client: socket.socket, channel: int, method: Method, arguments: bytes) -> None:
    """Send a method in a frame."""
    payload = struct.pack(">HH", *method) + arguments
    client.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")


@contextmanager
def stand_in(silent: Method | None = None, reads_on: bool = True) -> Iterator[StandIn]:
    """Have a server in the block."""
    server = StandIn(silent, reads_on)
    try:
        yield server
    finally:
        server.close()
