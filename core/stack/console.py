"""One stream of lines for a person to read: each process's own, and what the stack has to say."""

import os
import sys
import threading
from typing import TextIO

from aftercommit.printable import escape_controls

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92")
BOLD, RED = "1", "1;31"
WIDTH = 7


class Console:
    """A writer of whole lines, from any thread, coloured on a terminal only."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.colourful = self.stream.isatty() and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        """Write a line of a process, after the process's name."""
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        self._write(f"{self._painted(f'{name:<{WIDTH}} |', colour)} {escape_controls(text)}")

    def say(self, text: str) -> None:
        """Write a line of the stack's own."""
        self._write(self._painted(text, BOLD))

    def complain(self, text: str) -> None:
        """Write a line of the stack's own about something that went wrong."""
        self._write(self._painted(text, RED))

    def _painted(self, text: str, colour: str) -> str:
        shown = escape_controls(text)
        return f"\033[{colour}m{shown}\033[0m" if self.colourful else shown

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                print(text, file=self.stream, flush=True)
            except (OSError, ValueError):
                # The terminal is gone. To stop in good order matters more than to tell of it.
                self.stream = open(os.devnull, "w")  # noqa: SIM115, PTH123
