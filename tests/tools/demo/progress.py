"""Shows what is going on: on a terminal with a line that lives, elsewhere by lines that stay."""

import itertools
import os
import shutil
import sys
import time
from typing import TextIO

from core.stack.console import Console

REDRAW = 0.08
TITLE_WIDTH = 30
GREEN, RED, DIM = "32", "1;31", "2"


class Screen:
    """Writes lines, the last of which may still change on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.lives = self.stream.isatty()
        self.colourful = self.lives and "NO_COLOR" not in os.environ
        self._wheel = itertools.cycle("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
        self._drawn = 0.0

    @property
    def width(self) -> int:
        """How many columns there are to write in."""
        return min(100, shutil.get_terminal_size().columns) if self.lives else 100

    def painted(self, text: str, colour: str) -> str:
        """The text in a colour, where there are some."""
        return f"\033[{colour}m{text}\033[0m" if self.colourful else text

    def working(self, text: str) -> None:
        """Something goes on: replaces the line that said so before."""
        now = time.monotonic()
        if self.lives and now - self._drawn >= REDRAW:
            self._drawn = now
            print(f"\r\033[K{next(self._wheel)} {text[: self.width - 3]}", end="", file=self.stream)
            self.stream.flush()

    def line(self, text: str = "") -> None:
        """A line that stays."""
        self._drawn = 0.0
        print(f"\r\033[K{text}" if self.lives else text, file=self.stream, flush=True)

    def complain(self, text: str) -> None:
        """A line about something that went wrong."""
        self.line(self.painted(text, RED))

    def done(self, title: str, note: str, good: bool = True) -> None:
        """A thing that is over, and how it went."""
        mark = self.painted("✓", GREEN) if good else self.painted("✗", RED)
        room = self.width - TITLE_WIDTH - len("✓  ")
        self.line(f"{mark} {title:<{TITLE_WIDTH}} {self.painted(note[:room], DIM)}")


class QuietConsole(Console):
    """The stack's console: keeps what the processes write, shows only what goes wrong."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.stream)
        self.written: dict[str, list[str]] = {}
        self._screen = screen

    def line(self, name: str, text: str) -> None:
        """Keeps a line of a process's."""
        self.written.setdefault(name, []).append(text)

    def say(self, text: str) -> None:
        """Shows what the stack does for as long as it does it."""
        self._screen.working(text)

    def complain(self, text: str) -> None:
        """Shows what went wrong."""
        self._screen.complain(text)

    def last_lines(self, name: str, count: int = 15) -> list[str]:
        """The last lines that a process wrote."""
        return self.written.get(name, [])[-count:]
