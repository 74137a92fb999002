"""Start Python programs as forks of a process that has imported Celery and Django already.

Those imports are two thirds of the time until a worker is ready, and the tests start 250 programs.
The fork server has no settings and nothing that depends on them: a fork reads its settings and
imports the project as a new process does, and ends as one.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from core.stack.waiting import wait_until

PROJECT = Path(__file__).parents[2]

PRELOADED = (
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.fixups.django",
    "celery.worker.components",
    "celery.worker.consumer",
    "django.contrib.admin",
    "django.core.cache.backends.redis",
    "django.core.handlers.wsgi",
    "django.core.mail.backends.smtp",
    "django.core.management",
    "django.db.models",
    "django.forms",
    "django.template.backends.django",
    "django.views.generic",
    "granian.server.mp",
    "kombu.transport.redis",
    "psycopg",
)

ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": os.environ.get("PATH", os.defpath),
    "PYTHONPATH": str(PROJECT),
    "PYTHONUNBUFFERED": "1",
}
"""The environment of the fork server. A fork has its own, which Python reads at its start alone."""


class ForkedProcess:
    """A program that is a fork. It has what the tests use of ``subprocess.Popen``."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        """Return the exit status, ``-N`` after signal N. Return None while the program runs."""
        if self.returncode is None:
            self.returncode = self._server.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return the exit status. Raise ``subprocess.TimeoutExpired`` if the program goes on."""
        with suppress(TimeoutError):
            wait_until(lambda: self.poll() is not None, timeout, "the end of the program")
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send the signal. A program that has ended gets none."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """The side of the process that asks for programs. The server starts with the first program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._conversation: IO[str] | None = None

    def can_start(self, command: Sequence[str], env: Mapping[str, str]) -> bool:
        """Return whether the program can be a fork: a module, and nothing changes Python itself."""
        is_module = list(command[:2]) == [sys.executable, "-m"]
        return sys.platform == "linux" and is_module and of_python(env) == of_python(ENVIRONMENT)

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> ForkedProcess:
        """Start ``python -m MODULE ARGUMENTS``, which leads a process group and writes to the log.

        ``can_start()`` must be true for the command and the environment.
        """
        argv, where = list(command[2:]), {"cwd": str(cwd), "log": str(log)}
        return ForkedProcess(self, self.ask(argv=argv, env=dict(env), **where))

    def ask(self, **request: Any) -> Any:
        """Return the server's answer."""
        with self._lock:
            conversation = self._conversation or self._converse()
            conversation.write(json.dumps(request) + "\n")
            conversation.flush()
            return json.loads(conversation.readline())

    def _converse(self) -> IO[str]:
        """Start the server. The end of the conversation with it ends the server."""
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(its.fileno())],
                env=ENVIRONMENT,
                cwd=PROJECT,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        with ours:
            self._conversation = ours.makefile("rw")
        return self._conversation


def of_python(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python and the dynamic linker read when a process starts."""
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LD_"))}


def serve(conversation: IO[str]) -> dict[str, Any] | None:
    """Answer requests until the conversation ends. Return the request that makes a fork, in it."""
    for line in iter(conversation.readline, ""):
        request = json.loads(line)
        if "poll" in request:
            answer = status_of(request["poll"])
        elif pid := os.fork():
            answer = pid
            with suppress(ProcessLookupError, PermissionError):
                os.setpgid(pid, pid)  # The fork does the same. The first of the two counts.
        else:
            return dict(request)
        conversation.write(json.dumps(answer) + "\n")
        conversation.flush()
    return None


def status_of(pid: int) -> int | None:
    """Return the exit status of the fork. Return None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(argv: list[str], env: Mapping[str, str], cwd: str, log: str) -> None:
    """Run the program in this process, as ``python -m`` runs it in a new one."""
    os.setpgid(0, 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    with open(os.devnull, "rb") as nothing, open(log, "ab") as output:  # noqa: PTH123  # no Path
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv, sys.path[0] = argv, cwd
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def main(descriptor: int) -> None:
    """Serve the conversation at the descriptor. In a fork, run its program."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # What is shared with the forks stays shared.
    with socket.socket(fileno=descriptor) as ours, ours.makefile("rw") as conversation:
        request = serve(conversation)
    if request:
        become(**request)


fork_server = ForkServer()

if __name__ == "__main__":
    main(int(sys.argv[1]))
