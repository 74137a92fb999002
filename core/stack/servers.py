"""Servers that are started for a while, each on a free port, with a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from core.stack.ports import free_port, is_free
from core.stack.tether import tethered
from core.stack.waiting import wait_until

Identity = tuple[int, int]
"""A user and a group, by number."""


class ServerError(Exception):
    """A server could not be found, or did not start."""


class Server(ABC):
    """One server process on the loopback address. The context manager starts and stops it.

    It can be started again after ``stop()`` or ``kill()``, on the same port. Its folder is removed
    by ``close()`` or at the end of the context.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    ready_within: ClassVar[float] = 60
    stopped_within: ClassVar[float] = 30

    def __init__(self, port: int | None = None) -> None:
        self.chosen_port = port
        self.port = port or free_port()
        self.identity: Identity | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the address for clients, with the password."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """Return the command line that serves in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it takes connections."""

    def prepare(self) -> None:  # noqa: B027  # most servers need nothing
        """Make what the first start needs, in the new folder."""

    def base_directory(self) -> str | None:
        """Return the parent of its folder. None is the usual place for temporary files."""
        return None

    @property
    def directory(self) -> Path:
        """Return its folder, which exists from the first start to ``close()``."""
        if self._directory is None:
            raise RuntimeError(f"{self.name} has no folder yet. Call start() first.")
        return self._directory

    def _make_directory(self) -> None:
        folder = tempfile.mkdtemp(prefix=f"{self.name.lower()}-", dir=self.base_directory())
        self._directory = Path(folder)
        if self.identity:
            os.chown(folder, *self.identity)
        self.prepare()

    @property
    def log(self) -> Path:
        """Return the file with what it wrote."""
        return self.directory / "server.log"

    @property
    def running(self) -> bool:
        """Return whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers. Raises ServerError with its last lines otherwise."""
        if self._directory is None:
            self._make_directory()
        for _ in range(5):
            if not self.chosen_port and not is_free(self.port):
                self.port = free_port()  # somebody was faster
            if self._came_up():
                return
            if self.chosen_port or is_free(self.port):
                break
        raise ServerError(
            f"{self.name} did not start on port {self.port}. Its last lines:\n{self.last_lines()}"
        )

    def _came_up(self) -> bool:
        """Start the process. Return whether it answered before it ended or the time was up."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tethered(self.command(), self.stop_signal, self.identity),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,
            )
        try:
            wait_until(lambda: not self.running or self.answers(), self.ready_within, self.name)
        except TimeoutError:
            self.kill()
        return self.running

    def last_lines(self, count: int = 15) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-count:]) or "(it wrote nothing)"

    def stop(self) -> None:
        """Stop it in good order, or by force if that takes too long."""
        if self.process is None:
            return
        if self.running:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.stopped_within)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
