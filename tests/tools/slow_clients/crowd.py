"""Crowds of clients, each of which holds on to what it can of a server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from core.stack.ports import LOOPBACK

EVERY = 0.5
"""Seconds between two bytes or lines of a client."""


@dataclass(frozen=True)
class Crowd:
    """So many clients that do the same: send the opening at once, then the drip, again and again.

    None of them reads anything. A window that is small leaves the answer in the server.
    """

    name: str
    count: int
    opening: bytes
    drip: bytes = b""
    window: int = 0

    def connect(self, port: int) -> socket.socket:
        """Return a connection of one client, which has sent the opening."""
        client = socket.socket()
        if self.window:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        client.settimeout(5)
        client.connect((LOOPBACK, port))
        client.sendall(self.opening)
        client.setblocking(False)
        return client


def get(path: str, more: str = "\r\n") -> bytes:
    """Return a request for the path, which ends as given."""
    return f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{more}".encode()


def dripping_heads(count: int) -> Crowd:
    """Return clients whose requests never come to the end of their heads."""
    return Crowd("dripping heads", count, get("/", ""), b"X-Slow: yes\r\n")


def slow_bodies(count: int, path: str = "/login/") -> Crowd:
    """Return clients who send a byte of a large form now and then."""
    head = f"POST {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Length: 1000000\r\n\r\n"
    return Crowd("slow bodies", count, head.encode(), b"x")


def non_readers(count: int, path: str, times: int = 1) -> Crowd:
    """Return clients who ask for a large page, or for several at once, and read nothing of it."""
    return Crowd("non-readers", count, get(path) * times, window=4096)


@contextmanager
def besieged(port: int, *crowds: Crowd) -> Iterator[None]:
    """Have the crowds at the server in the block. A client who is sent away comes again."""
    with ExitStack() as stack:
        for crowd in crowds:
            stack.enter_context(_besieged_by(port, crowd))
        yield


@contextmanager
def _besieged_by(port: int, crowd: Crowd) -> Iterator[None]:
    clients: list[socket.socket | None] = [None] * crowd.count
    over = threading.Event()
    there = threading.Event()

    def keep_up() -> None:
        while not over.is_set():
            for number, client in enumerate(clients):
                clients[number] = _go_on(port, crowd, client)
            there.set()
            over.wait(EVERY)

    thread = threading.Thread(target=keep_up)
    thread.start()
    try:
        there.wait()
        yield
    finally:
        over.set()
        thread.join()
        for client in filter(None, clients):
            client.close()


def _go_on(port: int, crowd: Crowd, client: socket.socket | None) -> socket.socket | None:
    """Return the client after another drip, or a new one for a client who was sent away."""
    if client and _drip(crowd, client):
        return client
    with suppress(OSError):  # the server takes no more of them now
        return crowd.connect(port)
    return None


def _drip(crowd: Crowd, client: socket.socket) -> bool:
    """Return whether the connection is still there, after another drip."""
    try:
        client.send(crowd.drip)
    except BlockingIOError:
        return True
    except OSError:
        client.close()
        return False
    return True
