"""A contender in a process of its own, which does what the parent asks for over pipes.

``python -m benchmarks.child`` is the process (``BENCH_CONTENDER`` names the contender, a line of
JSON is one order, a line of JSON its answer); ``Child`` is the parent's end of it.
"""

import json
import os
import selectors
import subprocess
import sys
import traceback
from importlib import import_module
from typing import Any

from benchmarks.contender import Contender
from benchmarks.servers import Servers
from core.stack.tether import tethered

READY_WITHIN = 120
"""Seconds that a child may take to start; all of a run start at once."""


class ChildError(Exception):
    """What a child was told to do failed."""


class Child:
    """A running child; ``call`` times an operation of its contender."""

    def __init__(self, servers: Servers, name: str, **environment: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            tethered([sys.executable, "-m", "benchmarks.child"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**servers.environment(name), **environment},
            start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
        )
        self.pid = self._process.pid
        self._prepared = False
        self._send("benchmarks.child:prepare", {})

    def wait(self) -> None:
        """Return when it is ready, its database migrated. It prepares itself meanwhile."""
        if not self._prepared:
            self._prepared = True
            self._receive("benchmarks.child:prepare", READY_WITHIN)

    def call(self, method: str, times: int = 1, **kwargs: Any) -> list[float]:
        """How many milliseconds each of so many calls of the contender's method took."""
        taken = self.run("benchmarks.timing:time_calls", method=method, times=times, kwargs=kwargs)
        return list(taken)

    def do(self, method: str, **kwargs: Any) -> Any:
        """What the contender's method returns."""
        return self.run("benchmarks.timing:do", method=method, kwargs=kwargs)

    def run(self, function: str, timeout: float = 300, **kwargs: Any) -> Any:
        """What ``module:function`` returns in the child, called with its contender.

        Raises ChildError with the child's traceback, and TimeoutError.
        """
        self.wait()
        self._send(function, kwargs)
        return self._receive(function, timeout)

    def _send(self, function: str, kwargs: dict[str, Any]) -> None:
        order = json.dumps({"function": function, "kwargs": kwargs})
        assert self._process.stdin is not None
        self._process.stdin.write(order.encode() + b"\n")
        self._process.stdin.flush()

    def _receive(self, function: str, timeout: float) -> Any:
        answer = json.loads(self._read_line(timeout, function))
        if "error" in answer:
            raise ChildError(f"{self.name}: {function} failed:\n{answer['error']}")
        return answer["value"]

    def _read_line(self, timeout: float, what: str) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                raise TimeoutError(f"{self.name}: {what} took longer than {timeout:g} s.")
        line = self._process.stdout.readline()
        if not line:
            raise ChildError(f"{self.name} ended in {what}, with code {self._process.wait()}.")
        return line

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def prepare(contender: Contender) -> None:
    """The contender's own tables, in its copy of the database."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)


def serve() -> None:
    """Do what standard input asks for, until it ends."""
    # What the contender prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import django

    django.setup()
    from benchmarks.contender import active

    contender = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            contender = contender or active()
            module, _, name = order["function"].partition(":")
            value = getattr(import_module(module), name)(contender, **order["kwargs"])
            answer = {"value": value}
        except Exception:  # noqa: BLE001  # the parent shows it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
