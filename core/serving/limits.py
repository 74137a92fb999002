"""What clients may cost, and for how long. Each figure is for one process."""

import time
from dataclasses import dataclass, field

THREADS = 4
"""How many pages are made at the same time. Each thread keeps a connection to the database."""

WAITING = 100
"""How many requests may wait for a thread. Any more are refused at once, with status 503."""

WAITS_AT_MOST = 30.0
"""Seconds for which a request waits for a thread before it is refused."""

READY_WITHIN = 5.0
"""Seconds within which ``/readyz`` answers, whatever the database does."""

CONNECTIONS = 2000
"""How many clients may be connected. The next one waits until one of them is gone."""

OPEN_FILES = 8192
"""Enough for the connections, and for the files of their requests and answers."""

HEAD_SECONDS = 10
"""How long a client may take for the head of a request, and be idle between two requests."""

HEAD_BYTES = 64 * 1024
"""How long the head of a request may be."""

IN_MEMORY = 64 * 1024
"""How many bytes of a request and of an answer are kept in memory. The others are in a file."""

FILES_BYTES = 1024 * 1024 * 1024
"""How much all those files may have. What needs more is refused with status 503."""

SILENCE = 30
"""Seconds after which the kernel closes a connection whose client takes nothing of an answer."""

STUCK = 60
"""Seconds after which a process that gives its event loop no turn is ended, and replaced."""

STOPS_WITHIN = 30
"""Seconds that requests have to finish once the server is stopped. What is left is killed."""


class Busy(Exception):
    """A limit of this process is reached."""


@dataclass
class Pace:
    """How fast a body has to come: some seconds to begin with, and more for each byte."""

    seconds: float = 20.0
    bytes_per_second: float = 5000.0
    began: float = field(default_factory=time.monotonic)

    def seconds_left(self, received: int) -> float:
        """Return for how long the client may still take, after so many bytes."""
        return self.began + self.seconds + received / self.bytes_per_second - time.monotonic()
