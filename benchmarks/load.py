"""A client of a site, in a process of its own: ``python -m benchmarks.load HOST PORT PATH``.

Reads lines ``CLIENTS SECONDS`` from standard input; for each it has that many clients ask at once,
each over a connection that it keeps, and prints a line of JSON: the milliseconds of each request.
Raw sockets, because an HTTP library would use more of the processor than the site does.
"""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

EXPECTED = b"HTTP/1.1 204"
"""How an answer begins."""

TIMEOUT = 30
"""Seconds that an answer may take."""


class Client:
    """One client and its connection."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        """One request; its answer is to be 204, which has no body."""
        self._socket.sendall(self._request)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            part = self._socket.recv(4096)
            if not part:
                raise ConnectionError("The site closed the connection.")
            answer += part
            if not answer.startswith(EXPECTED[: len(answer)]):
                raise ValueError(f"Not {EXPECTED.decode()}: {answer.decode(errors='replace')}")

    def ask_until(self, deadline: float) -> list[float]:
        """One request after the other; the milliseconds of each."""
        taken = []
        while (begin := time.perf_counter()) < deadline:
            self.ask()
            taken.append((time.perf_counter() - begin) * 1000)
        return taken

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def ask_together(clients: int, seconds: float, *address: str) -> list[float]:
    """The milliseconds of all requests of so many clients, after one of each that doesn't count."""
    host, port, path = address
    made = [Client(host, int(port), path) for _ in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(Client.ask, made))
        deadline = time.perf_counter() + seconds
        taken = pool.map(lambda client: client.ask_until(deadline), made)
        values = [value for each in taken for value in each]
    for client in made:
        client.close()
    return values


def main() -> None:
    """Ask as often as standard input says."""
    for line in sys.stdin:
        clients, seconds = line.split()
        print(json.dumps(ask_together(int(clients), float(seconds), *sys.argv[1:])), flush=True)


if __name__ == "__main__":
    main()
