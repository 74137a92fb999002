"""Requests that no client library would send, byte by byte."""

import re
import socket
import time

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
TIMEOUT = 5
LARGEST = 1_000_000


def send(port: int, *parts: bytes, wait: float = TIMEOUT) -> bytes:
    """Return all that the server answers until it closes the connection, or until ``wait`` is over.

    ``parts`` are sent one after the other. A server that stops reading ends the sending.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # The server refused before it had read everything.
        return receive(connection, time.monotonic() + wait)


def receive(connection: socket.socket, deadline: float) -> bytes:
    """Return what comes until the end, the deadline, or ``LARGEST`` bytes."""
    received = b""
    try:
        while (left := deadline - time.monotonic()) > 0 and len(received) < LARGEST:
            connection.settimeout(left)
            if not (piece := connection.recv(65_536)):
                break
            received += piece
    except OSError:
        pass
    return received


def status_of(answer: bytes) -> int:
    """Return the status of the first answer, or 0 if there is none."""
    return (statuses(answer) or [0])[0]


def statuses(answer: bytes) -> list[int]:
    """Return the statuses of all answers."""
    return [int(status) for status in STATUS.findall(answer)]
