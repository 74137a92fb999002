"""Tiny programs and a console that the tests of the stack run in place of the real ones."""

import io
import sys
import textwrap
from pathlib import Path
from typing import Any

from core.stack.console import Console
from core.stack.process import Program

READY_WITHIN = 20

SERVING = """
    import pathlib, signal, sys, time
    name, journal, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), float(sys.argv[3])

    def note(event):
        with journal.open("a") as file:
            file.write(f"{event} {name}\\n")

    def stop(*_):
        note("asked")
        time.sleep(seconds)  # the running task
        note("finished")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    note("started")
    print("serving", flush=True)
    while True:
        signal.pause()
"""
"""Serves until SIGTERM, then works for some seconds more; writes all that into a journal."""


def python(code: str, *arguments: object) -> list[str | Path]:
    """The command line that runs the code."""
    return [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]


def serving(name: str, journal: Path, seconds: float = 0, **options: Any) -> Program:
    """A program that serves and stops warm; it answers once it is in the journal."""
    return Program(
        name=name,
        command=python(SERVING, name, journal, seconds),
        answers=lambda: f"started {name}" in lines_of(journal),
        **options,
    )


def lines_of(path: Path) -> list[str]:
    """The lines of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []


class Screen(Console):
    """A console whose text a test can read."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())

    @property
    def text(self) -> str:
        """All that was written so far."""
        assert isinstance(self.stream, io.StringIO)
        return self.stream.getvalue()
