"""What a process that serves asks of the system, whichever web server it is."""

import asyncio
import faulthandler
import multiprocessing
import os
import resource
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from core.serving.limits import OPEN_FILES, SILENCE, STUCK


def allow_open_files() -> None:
    """Raise this process's own limit of open files, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_with_parent() -> None:
    """Have this process stop, as after SIGTERM, when the one that started it has ended."""
    if parent := multiprocessing.parent_process():

        def watch() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, daemon=True).start()


def end_when_stuck(loop: asyncio.AbstractEventLoop) -> None:
    """End this process, with a traceback of each thread, if its loop has no turn for ``STUCK`` s.

    One thread can hold all others up: a regular expression on a hostile text, for example.
    """
    faulthandler.dump_traceback_later(STUCK, exit=True)
    loop.call_later(STUCK / 6, end_when_stuck, loop)


@cache
def close_silent_connections() -> None:
    """Have the kernel close connections whose clients take nothing for ``SILENCE`` seconds.

    Accepted connections have the options of the socket that listens. Linux has this one.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):  # nothing tells which sockets there are
            for each in listening_sockets():
                limit_silence(each)


def limit_silence(listening: socket.socket) -> None:
    """Set the option. A Unix socket hasn't got it."""
    with suppress(OSError):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)


def listening_sockets() -> Iterator[socket.socket]:
    """Yield the sockets at which this process listens."""
    for each in os.listdir("/dev/fd"):  # noqa: PTH208  # the numbers are wanted, not the files
        with suppress(OSError):  # it was the folder that is being listed
            if stat.S_ISSOCK(os.fstat(int(each)).st_mode):
                with socket.socket(fileno=os.dup(int(each))) as found:
                    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        yield found
