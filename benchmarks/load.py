"""Clients of a site, in a process of their own.

``… benchmarks.load HOST PORT PATH COOKIES PROCESSES``: the last is how many the site has.

Reads lines ``CLIENTS SECONDS`` from standard input; for each it has that many clients ask at once,
each over a connection that it keeps, and prints a line of JSON: the milliseconds of each request.
Raw sockets, because an HTTP library would use more of the processor than the site does.

Each of the site's processes has an equal share of the clients. Left to chance, as whoever of them
accepts a connection keeps it, one often has nearly all, and the site half its speed.
"""

import json
import math
import re
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

EXPECTED = b"HTTP/1.1 20"
"""How an answer begins: not with a redirection, and not with an error."""

HEAD_ENDS = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
PROCESS = re.compile(rb"\r\nProcess: (\d+)", re.IGNORECASE)

TIMEOUT = 30
"""Seconds that an answer may take."""

TRIES = 500
"""How many connections are made to find a share for each process."""


class Client:
    """One client and its connection."""

    def __init__(self, host: str, port: int, path: str, cookies: str) -> None:
        cookie = f"Cookie: {cookies}\r\n" if cookies else ""
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n".encode()
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> bytes:
        """One request, and its whole answer, which is to be a success."""
        self._socket.sendall(self._request)
        answer, whole = b"", None
        while whole is None or len(answer) < whole:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("The site closed the connection.")
            answer += part
            if not answer.startswith(EXPECTED[: len(answer)]):
                raise ValueError(f"Not {EXPECTED.decode()}…: {answer.decode(errors='replace')}")
            whole = whole or length_of(answer)
        return answer

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


def length_of(beginning: bytes) -> int | None:
    """How many bytes an answer has that begins so; None while its head isn't complete."""
    head, end, _ = beginning.partition(HEAD_ENDS)
    if not end:
        return None
    body = LENGTH.search(head)
    return len(head) + len(end) + (int(body[1]) if body else 0)


def connect(clients: int, processes: int, new_client: Callable[[], Client]) -> list[Client]:
    """So many clients, after a request of each; no process has more of them than its share."""
    share = math.ceil(clients / processes)
    served: dict[bytes, list[Client]] = defaultdict(list)
    for _ in range(TRIES):
        client = new_client()
        found = PROCESS.search(client.ask())
        of_process = served[found[1] if found else b""]
        if len(of_process) < share:
            of_process.append(client)
        else:
            client.close()
        every = list(chain.from_iterable(served.values()))
        if len(every) == clients:
            return every
    raise RuntimeError(f"{TRIES} connections, and no {processes} processes took {share} of them.")


def ask_together(clients: int, seconds: float, *address: str) -> list[float]:
    """The milliseconds of all requests of so many clients, after one of each that doesn't count."""
    host, port, path, cookies, processes = address
    made = connect(clients, int(processes), lambda: Client(host, int(port), path, cookies))
    with ThreadPoolExecutor(clients) as pool:
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
