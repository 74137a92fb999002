"""The site of a contender, served by gunicorn, and the clients that ask it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from benchmarks.bench import Bench, worker
from benchmarks.servers import cpu_seconds
from core.stack.ports import LOOPBACK, free_port
from core.stack.tether import tethered
from core.stack.waiting import wait_until

PROCESSES, THREADS = 2, 4
"""The size of each site, as ``make run`` has it: a process for each core of a small machine."""


@dataclass(frozen=True)
class Site:
    """A site that answers."""

    port: int
    pid: int
    processes: int

    def cpu(self) -> float:
        """The CPU seconds that its processes have used."""
        main = psutil.Process(self.pid)
        return sum(cpu_seconds(each.pid) for each in [main, *main.children(recursive=True)])

    def answers(self, path: str = "/healthz") -> bool:
        """Whether it answers, and without an error."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        with suppress(ConnectionError):
            connection.request("GET", path)
            return connection.getresponse().status < 300
        return False


@contextmanager
def site(
    bench: Bench, name: str, processes: int = PROCESSES, threads: int = THREADS
) -> Iterator[Site]:
    """The site of a contender while the block runs; it answers when the block begins."""
    bench.child(name)  # prepares the database
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "benchmarks.wsgi", "--bind", f"{LOOPBACK}:{port}"),
        *("--worker-class", "gthread", "--workers", str(processes), "--threads", str(threads)),
        *("--keep-alive", "60", "--log-level", "error", "--no-control-socket"),
    ]
    with worker(command, bench.servers.environment(name)) as process:
        running = Site(port, process.pid, processes)
        wait_until(running.answers, 60, f"the site of {name}", every=0.01)
        yield running


class Clients:
    """The clients of one path of a site, in a process of their own; a context manager."""

    def __init__(self, running: Site, path: str, cookies: str = "") -> None:
        address = [LOOPBACK, str(running.port), path, cookies, str(running.processes)]
        self._process = subprocess.Popen(
            tethered([sys.executable, "-m", "benchmarks.load", *address]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def ask(self, clients: int, seconds: float) -> list[float]:
        """Have so many clients ask for so long; the milliseconds of each request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(clients, seconds, file=self._process.stdin, flush=True)
        answer: list[float] = json.loads(self._process.stdout.readline() or "[]")
        if not answer:
            raise RuntimeError("The clients got no answers; their errors are above.")
        return answer
