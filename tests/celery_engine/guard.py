"""No process outlives the test session, however the session ends.

Every program that a test starts leads a process group. The guard is one small process that knows
these groups and holds the read end of a pipe whose other end only the session has. When the session
goes away, killed or not, the pipe closes and the guard kills the groups that are left.

A parent-death signal (``PR_SET_PDEATHSIG``) would not do: it reaches a worker but not its pool, and
it is sent when the *thread* that started the program ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
from typing import IO

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Guard:
    """What tells the guard process which groups to kill when this process is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """Have the process group killed should this process end without it being forgotten."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave the process group alone from now on: it has ended, its number may be reused."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        pipe = self._pipe()
        pipe.write(line.encode())
        pipe.flush()

    def _pipe(self) -> IO[bytes]:
        """The guard's standard input; starts the guard at its first use."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            os.register_at_fork(after_in_child=self._close_copy)
        assert self._process.stdin is not None
        return self._process.stdin

    def _close_copy(self) -> None:
        """Close the copy of the pipe in a forked child, which would keep the guard waiting."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                os.close(self._process.stdin.fileno())


def kill_group(group: int) -> None:
    """Kill every process of the group; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def stand_guard(lines: IO[str]) -> None:
    """Follow the groups that come and go on the pipe; kill those left when it closes."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        kill_group(group)


guard = Guard()

if __name__ == "__main__":
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    stand_guard(sys.stdin)
