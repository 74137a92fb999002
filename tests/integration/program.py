"""A program that runs in the background of a test: a worker, a web server."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.stack.tether import tethered
from core.stack.waiting import wait_until

TIMEOUT = 60


class Program:
    """One process, from the block's beginning to its end, and what it has written."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    @property
    def lives(self) -> bool:
        """Return whether the process has not ended."""
        return self.process.poll() is None

    def written(self) -> str:
        """Return what the program has written so far."""
        return self.log.read_text(errors="replace")

    def wait_to_say(self, text: str) -> None:
        """Wait until the program has written the text."""
        wait_until(
            lambda: text in self.written() or not self.lives, TIMEOUT, lambda: self._said(text)
        )
        assert text in self.written(), f"It ended. {self._said(text)}"

    def _said(self, text: str) -> str:
        return f"{text!r} in {self.log.name}:\n{self.written()}"


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: str
) -> Iterator[Program]:
    """Have the program run in the block. Its output goes to the file ``log`` of the folder."""
    path = folder / log
    with path.open("wb") as output:
        process = subprocess.Popen(
            tethered(command),
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Program(process, path)
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        finally:
            process.kill()
