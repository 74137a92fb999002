"""Visitors who ask for pages as everybody does, and how they were served."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.stack.ports import LOOPBACK

PATIENCE = 5.0
"""Seconds that a visitor waits for an answer."""


@dataclass
class Visits:
    """The answers to a visitor of one address."""

    path: str
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def visit(self, port: int) -> None:
        """Ask for the page over a new connection."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
        except OSError as error:
            self.failures.append(type(error).__name__)
        else:
            self.seconds.append(time.monotonic() - began)
            if answer.status != 200:
                self.failures.append(f"status {answer.status}")
        finally:
            connection.close()

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.path}: no answer in {len(self.failures)} tries"
        median, slowest = statistics.median(self.seconds), max(self.seconds)
        times = f"median {median * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms"
        return f"{self.path}: {len(self.seconds)} answers, {times}, {len(self.failures)} failures"


@contextmanager
def visited(port: int, paths: Sequence[str]) -> Iterator[list[Visits]]:
    """Have a visitor at each address in the block, one visit after the other."""
    all_visits = [Visits(path) for path in paths]
    over = threading.Event()

    def keep_visiting(visits: Visits) -> None:
        while not over.wait(0.02):
            visits.visit(port)

    threads = [threading.Thread(target=keep_visiting, args=[each]) for each in all_visits]
    for thread in threads:
        thread.start()
    try:
        yield all_visits
    finally:
        over.set()
        for thread in threads:
            thread.join()
