"""One process of the stack: what it is, whether it answers, how it ends."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.stack.private_folder import UMASK
from core.stack.tether import tethered

Lines = Callable[[str, str], None]
"""A function that takes a process's name and a line that the process wrote."""


def alive() -> bool:
    """Return True: the program answers as soon as it runs."""
    return True


@dataclass(frozen=True)
class Program:
    """A program to run, with the programs that it needs and a way to tell that it answers."""

    name: str
    command: Sequence[str | Path]
    needs: tuple[str, ...] = ()
    answers: Callable[[], bool] = alive
    once: bool = False
    """True for a step, which has answered when it has ended with exit code 0."""
    stops_within: float = 30
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    """Its own environment. Without one it gets that of the site's processes."""
    stop_note: str = ""
    """A note for the person who stops the stack, while this program is stopping."""


class Process:
    """A program that runs, in a session of its own: a Ctrl-C at the terminal doesn't reach it."""

    def __init__(self, program: Program, environment: Mapping[str, str], lines: Lines) -> None:
        self.program = program
        self.started = time.monotonic()
        self.tail: deque[str] = deque(maxlen=15)
        self._lines = lines
        self._popen = subprocess.Popen(
            tethered(program.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[2],
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
            umask=UMASK,
        )
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, name=f"read-{program.name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self._popen.stdout is None:
            return
        with self._popen.stdout as lines:
            for line in filter(str.strip, lines):
                self.tail.append(line.rstrip())
                self._lines(self.program.name, line.rstrip())

    @property
    def age(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def ended(self) -> int | None:
        """Return the exit code, or None while the process runs. A signal N that ended it is -N.

        Kills what the process left behind in its group, while the group's number is still its own.
        """
        if self._popen.returncode is None:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            self.kill_group()
            self._popen.wait()
            self._reader.join(2)
        return self._popen.returncode

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process alone. It knows how to end its own children."""
        if self.ended() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill the process and everything that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it never got as far as having a group, or all of it has gone

    def ending(self) -> str:
        """Return how it ended, in words, with the last lines that it wrote."""
        code = self.ended() or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        wrote = "\n".join(f"    {line}" for line in self.tail) or "    (it wrote nothing)"
        return f"{self.program.name} ended {how}. Its last lines:\n{wrote}"
