"""A command that ends when the process that started it ends, even by SIGKILL.

``tethered(command)`` returns the command line to start. Run as a program, this file asks the kernel
for a signal when its parent dies, and becomes the command. Only Linux has that signal. This is a
program of its own, because code between fork and exec can hang in a process with threads.
The parent is the *thread* that starts it: start from one that lives as long as the command should.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def tethered(
    command: Sequence[str | Path],
    last_signal: signal.Signals = signal.SIGTERM,
    user: tuple[int, int] | None = None,
) -> list[str]:
    """Return the command line that ties the command to this process, run as (uid, gid) if given."""
    uid, gid = user or (-1, -1)
    how = [str(os.getpid()), str(int(last_signal)), str(uid), str(gid)]
    return [sys.executable, "-I", "-S", __file__, *how, *map(str, command)]


def reset_signals() -> None:
    """Have each signal do what it does by default.

    A signal that is ignored or blocked stays so in the command: whoever started us may have ignored
    SIGCHLD or SIGINT (a shell in the background does), and Python itself ignores SIGPIPE.
    """
    for each in signal.valid_signals():
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(command: list[str], parent: int, last_signal: int, uid: int, gid: int) -> None:
    """Turn this process into the command, tied to its parent."""
    reset_signals()
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # Only now, because a change of the user clears it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, last_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The process that started this one has ended already.")
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell on purpose
    except OSError as error:
        sys.exit(f"{command[0]} can't be started: {error.strerror}.")


if __name__ == "__main__":
    become(sys.argv[5:], *map(int, sys.argv[1:5]))
