"""A worker of this project as pytest-celery knows one, and the cluster of those that a test starts.

Its methods use the container's own commands, which Docker has as well as processes.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from celery import Celery
from pytest_celery import CeleryTestWorker, CeleryWorkerCluster, CeleryWorkerContainer

from core.stack.waiting import wait_until
from tests.celery_engine.engine import Engine

READY = " ready."
READY_WITHIN = 30.0
END_WITHIN = 10.0


class ProjectWorker(CeleryTestWorker):
    """A Celery worker of ``celery_app``: a main process and its pool."""

    def __init__(self, name: str, raw: Any, app: Celery) -> None:
        super().__init__(CeleryWorkerContainer(raw), app)
        self._name = name
        self._raw = raw
        self._log_at_start = 0

    def hostname(self) -> str:
        """Return what the worker is called in Celery's answers and events."""
        return self._name

    @property
    def running(self) -> bool:
        """Whether the worker was started and hasn't ended. One that is paused runs."""
        self._raw.reload()
        return self._raw.status in ("running", "paused")

    @property
    def returncode(self) -> int:
        """The exit status of a worker that has ended; 128 + N after signal N."""
        self._raw.reload()
        return int(self._raw.attrs["State"]["ExitCode"])

    @property
    def pid(self) -> int:
        """The number of the main process."""
        self._raw.reload()
        return int(self._raw.attrs["State"]["Pid"])

    def start(self) -> None:
        """Start the worker again, and don't wait until it is ready."""
        self._log_at_start = len(self.logs())
        self._raw.start()

    def kill(self, signal: str | int = "SIGKILL", reload_container: bool = True) -> None:
        """Send the signal, and wait for the end if it is SIGKILL."""
        if self.running:
            self._raw.kill(signal)
            if signal == "SIGKILL":
                self._raw.wait(timeout=END_WITHIN)
        self._raw.reload()

    def terminate(self) -> None:
        """Begin a warm shutdown: the tasks that run are finished. ``wait()`` for its end."""
        self.kill("SIGTERM")

    def wait(self, timeout: float) -> int:
        """Return the exit status, once the worker ends; an error is raised when it doesn't."""
        return int(self._raw.wait(timeout=timeout)["StatusCode"])

    def pause(self) -> None:
        """Freeze every process of the worker."""
        self._raw.pause()

    def resume(self) -> None:
        """Let frozen processes go on."""
        self._raw.unpause()

    def children(self) -> list[int]:
        """Return the numbers of the pool's processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        return []

    def kill_children(self) -> None:
        """SIGKILL every process of the pool."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_ready(self, timeout: float = READY_WITHIN) -> None:
        """Return once the worker takes tasks. Fail the test with the log when it doesn't."""
        wait_until(lambda: self._is_ready() or not self.running, timeout, self._awaited(READY))
        assert self.running, f"The worker ended with {self.returncode}:\n{self.logs()}"

    def wait_for_log(self, log: str, message: str = "", timeout: float = 10) -> None:
        """Return once the worker has written the text. Fail the test when it doesn't."""
        wait_until(lambda: log in self.logs(), timeout, message or self._awaited(log))

    def teardown(self) -> None:
        """End the worker at once: a warm shutdown takes two seconds."""
        self._raw.remove(force=True)

    def _is_ready(self) -> bool:
        return READY in self.logs()[self._log_at_start :]

    def _awaited(self, text: str) -> Any:
        return lambda: f"{text!r} in what the worker wrote:\n{self.logs()}"


class Workers(CeleryWorkerCluster):
    """The workers that a test starts, none at first."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], app: Celery) -> None:
        self._engine = engine
        self._app = app
        self._environment = environment
        self._nodes: tuple[ProjectWorker, ...] = ()

    def start(
        self,
        concurrency: int = 1,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        ready: bool = True,
    ) -> ProjectWorker:
        """Start a worker with a prefork pool of ``concurrency`` processes.

        It is ready when the call returns, unless ``ready=False``. ``env`` is added to its
        environment, which is otherwise a minimal one; ``args`` to its command line.
        """
        name = f"worker{len(self._nodes) + 1}@test"
        raw = self._engine.containers.run(
            "",
            worker_command(name, concurrency, args),
            name=name,
            environment={**self._environment, **(env or {})},
        )
        worker = ProjectWorker(name, raw, self._app)
        self._nodes = (*self._nodes, worker)
        if ready:
            worker.wait_ready()
        return worker

    def teardown(self) -> None:
        """End those that still run, before the database is emptied."""
        for worker in self._nodes:
            worker.teardown()


def worker_command(name: str, concurrency: int, args: Sequence[str]) -> list[str]:
    """Return the command line of a worker with a prefork pool of ``concurrency`` processes.

    Without the second that a worker spends on asking others what it missed.
    """
    worker = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-n", name]
    pool = ["--pool=prefork", f"--concurrency={concurrency}", "--loglevel=INFO"]
    return [*worker, *pool, "--without-mingle", "--without-gossip", *args]
