"""A program in a process group of its own, with a log and with a deadline on every stop."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from core.stack.waiting import wait_until
from tests.celery_engine.fork_server import ForkedProcess, fork_server
from tests.celery_engine.guard import guard, kill_group

GRACE = 10.0


class Program:
    """A program that can be started, signalled, stopped and started again.

    Its standard output and error go to one log, which is kept across starts. When its first process
    ends, the rest of its group is killed: so does a container end with its first process.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        self.command = list(command)
        self.env = dict(env)
        self.cwd = cwd
        self.log = log
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._group: int | None = None
        self._log_at_start = 0
        log.touch()

    @property
    def pid(self) -> int:
        """The number of the program's first process, which is its group's too."""
        assert self._process is not None, f"{self.command[0]} was not started"
        return self._process.pid

    @property
    def started(self) -> bool:
        """Whether the program was ever started."""
        return self._process is not None

    @property
    def returncode(self) -> int | None:
        """The exit status (``-N`` after signal N), or None while the program runs."""
        if self._process is None:
            return None
        status = self._process.poll()
        if status is not None:
            self._end_group()
        return status

    @property
    def running(self) -> bool:
        """Whether the program was started and hasn't ended."""
        return self._process is not None and self.returncode is None

    def start(self) -> None:
        """Start the program; does nothing while it runs."""
        if self.running:
            return
        self._log_at_start = self.log.stat().st_size
        self._process = self._start_process()
        self._group = self._process.pid
        guard.watch(self._group)

    def _start_process(self) -> subprocess.Popen[bytes] | ForkedProcess:
        if fork_server.can_start(self.command, self.env):
            return fork_server.start(self.command, env=self.env, cwd=self.cwd, log=self.log)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def signal(self, number: int) -> None:
        """Send the signal to the program's first process; one that ended gets none."""
        if self._process is not None:
            self._process.send_signal(number)

    def signal_group(self, number: int) -> None:
        """Send the signal to every process of the program."""
        if self.running:
            os.killpg(self.pid, number)

    def pause(self) -> None:
        """Freeze every process of the program."""
        self.signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let frozen processes go on."""
        self.signal_group(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL the first process, wait until it is gone, and kill what it leaves behind."""
        self.signal(signal.SIGKILL)
        self.wait(GRACE)

    def kill_children(self) -> None:
        """SIGKILL every process of the program but the first: a worker's pool."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self, timeout: float = GRACE) -> None:
        """SIGTERM, and SIGKILL for what still runs ``timeout`` seconds later."""
        if not self.running:
            return
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait(self, timeout: float) -> int:
        """The exit status, once the program ends; ``subprocess.TimeoutExpired`` when it doesn't."""
        assert self._process is not None, f"{self.command[0]} was not started"
        status = self._process.wait(timeout)
        self._end_group()
        return status

    def children(self) -> list[int]:
        """The process numbers of the program's children, and of theirs."""
        try:
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_for_log(self, text: str, timeout: float = GRACE) -> None:
        """Return once the program has written the text since its start; it must not end before."""
        wait_until(lambda: self._has_written(text) or not self.running, timeout, self.logs)
        assert self.running, f"{self.command} ended with {self.returncode}:\n{self.logs()}"

    def _has_written(self, text: str) -> bool:
        return text in self.logs_since_start()

    def logs(self) -> str:
        """Everything that the program has written so far, across its starts."""
        return self.log.read_text(errors="replace")

    def logs_since_start(self) -> str:
        """What the program has written since it was last started."""
        return self.log.read_bytes()[self._log_at_start :].decode(errors="replace")

    def _end_group(self) -> None:
        """Kill what the first process left behind, once, and wait until it is gone."""
        if (group := self._group) is None:
            return
        self._group = None
        kill_group(group)
        wait_until(lambda: not _members(group), GRACE, f"the processes of {self.command} ended")
        guard.forget(group)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and that nobody has asked for doesn't."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _members(group: int) -> list[int]:
    """The numbers of the group's processes that are alive."""
    return [pid for pid in psutil.pids() if _group_of(pid) == group and is_alive(pid)]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
