"""The site behind its own web server and behind gunicorn's threads: requests a second, in turns.

``python -m benchmarks.serving``, in the environment of ``make bench``. The pages are a quiet one
and one with queries, over connections that are kept and over new ones. Eight clients ask for each.
"""

import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.servers import cpu_seconds
from core.stack.ports import LOOPBACK, free_port
from core.stack.probes import http_answers
from core.stack.tether import tethered
from core.stack.waiting import wait_until

ROUNDS, SECONDS, CLIENTS = 8, 1.0, 8
GUNICORN, OURS = "gunicorn", "core.serving"
COMMANDS = {
    GUNICORN: "gunicorn core.wsgi --worker-class gthread --workers 2 --threads 4 "
    f"--access-logfile - --no-control-socket --bind {LOOPBACK}:PORT",
    OURS: "core.serving --processes 2 --port PORT",
}
PAGES = {"quiet page": "/login/", "page with queries": "/"}
CONNECTIONS = {"kept": "", "new": "Connection: close\r\n"}


class Turn(NamedTuple):
    """What came of a server's turn."""

    per_second: float
    cpu_ms: float


@contextmanager
def served(name: str, env: Mapping[str, str], folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Have the site served in the block. Yield the port, and the server's first process."""
    port = free_port()
    command = [sys.executable, "-m", *COMMANDS[name].replace("PORT", str(port)).split()]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(tethered(command), env=env, stdout=log, stderr=log)
    try:
        wait_until(lambda: http_answers(f"http://{LOOPBACK}:{port}/healthz"), 60, name)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def ask_until(port: int, page: str, headers: str, deadline: float) -> int:
    """Return how many answers one client had until then."""
    request = f"GET {page} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{headers}\r\n".encode()
    answers = 0
    with ExitStack() as stack:
        client = None
        while time.perf_counter() < deadline:
            if client is None or headers:
                client = stack.enter_context(socket.create_connection((LOOPBACK, port), 30))
            client.sendall(request)
            read_answer(client)
            answers += 1
            if headers:
                client.close()
    return answers


def read_answer(client: socket.socket) -> None:
    """Read one answer. Raises ValueError if it is no success."""
    head, end, body = b"", b"", b""
    while not end:
        head, end, body = (head + client.recv(65536)).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"Not a success: {head[:200]!r}")
    length = int(head.lower().partition(b"\r\ncontent-length:")[2].split()[0])
    while len(body) < length:
        body += client.recv(65536)


def take_turn(port: int, server: psutil.Process, page: str, headers: str) -> Turn:
    """Return the requests a second of all clients, and the processors' milliseconds of each."""
    everything = [server.pid, *(child.pid for child in server.children(recursive=True))]
    used, began = sum(map(cpu_seconds, everything)), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [
            clients.submit(ask_until, port, page, headers, began + SECONDS) for _ in range(CLIENTS)
        ]
        answers = sum(each.result() for each in asked)
    seconds, used = time.perf_counter() - began, sum(map(cpu_seconds, everything)) - used
    return Turn(answers / seconds, used * 1000 / answers)


def compare(servers: Mapping[str, tuple[int, psutil.Process]], page: str, headers: str) -> str:
    """Return a line: each server's median, and the median of the ratios of the rounds."""
    turns: dict[str, list[Turn]] = {name: [] for name in servers}
    for number in range(ROUNDS):
        for name in sorted(servers, reverse=bool(number % 2)):
            turns[name].append(take_turn(*servers[name], page, headers))
    told = [
        f"{name} {statistics.median(turn.per_second for turn in each):7.1f}/s "
        f"{statistics.median(turn.cpu_ms for turn in each):5.2f} ms CPU"
        for name, each in turns.items()
    ]
    pairs = list(zip(turns[OURS], turns[GUNICORN], strict=True))
    faster = statistics.median(ours.per_second / its.per_second for ours, its in pairs)
    cheaper = statistics.median(its.cpu_ms / ours.cpu_ms for ours, its in pairs)
    return " | ".join([*told, f"{faster:.2f} times as many, {cheaper:.2f} by CPU"])


def main() -> None:
    """Print a line for each kind of request."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        made_up = {"VAR_DIR": name, "SECRET_KEY": secrets.token_urlsafe(48)}
        env = {**os.environ, **made_up, "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}"}
        for step in ("migrate", "demo_data"):
            command = [sys.executable, "manage.py", step]
            subprocess.run(command, env=env, check=True, capture_output=True)
        servers = {each: stack.enter_context(served(each, env, folder)) for each in COMMANDS}
        for (page, path), (kind, headers) in product(PAGES.items(), CONNECTIONS.items()):
            print(f"{page}, {kind} connections: {compare(servers, path, headers)}", flush=True)


if __name__ == "__main__":
    main()
