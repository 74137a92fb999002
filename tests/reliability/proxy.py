"""A TCP proxy before a server, which makes its network slow, silent or refusing."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"


class Connection:
    """A client's connection, and the proxy's own to the server, each read by a thread."""

    def __init__(self, proxy: "Proxy", client: socket.socket, server: socket.socket) -> None:
        self.silent = proxy.silent
        self._proxy = proxy
        self._sockets = client, server
        asks = threading.Thread(target=self._pass, args=[client, server], daemon=True)
        answers = threading.Thread(target=self._pass, args=[server, client], daemon=True)
        self._threads = asks, answers
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Break it off, on both sides."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._sockets:
            end.close()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source is self._sockets[1]:
                    time.sleep(self._proxy.delay)
                if not self.silent:
                    target.sendall(data)
        # Also after an error: a server that was stopped with requests unread resets connections.
        if not self.silent:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Listens on a port of this machine and passes all on to the server at ``upstream``, a URL."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        """Where new connections lead; a test may name another server."""
        self.delay = 0.0
        """How many seconds each answer is held up."""
        self.silent = False
        """Whether new connections are accepted and lead nowhere."""
        self._port = 0
        self._listener: socket.socket | None = None
        self._server = threading.Thread()
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.refuse()

    @property
    def url(self) -> str:
        """The server's URL by way of the proxy."""
        upstream = urlsplit(self.upstream)
        user, at, _ = upstream.netloc.rpartition("@")
        return upstream._replace(netloc=f"{user}{at}{HOST}:{self._port}").geturl()

    def accept(self) -> None:
        """Take connections, always at the same port; does nothing while it does."""
        if self._listener is None:
            self._listener = socket.create_server((HOST, self._port))
            self._port = self._listener.getsockname()[1]
            self._server = threading.Thread(target=self._serve, args=[self._listener], daemon=True)
            self._server.start()

    def refuse(self) -> None:
        """Refuse connections from now on, and break off those there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._server.join(10)
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Break off all connections."""
        while self._connections:  # the same list always: another may be added meanwhile
            self._connections.pop().close()

    def forget(self) -> None:
        """Let all connections there are lead nowhere, for good, without a word to either side.

        As a firewall or a router does that lost its state.
        """
        for connection in self._connections:
            connection.silent = True

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                self._connect(listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        address = urlsplit(self.upstream)
        try:
            server = socket.create_connection((address.hostname or HOST, address.port or 0), 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._connections.append(Connection(self, client, server))
