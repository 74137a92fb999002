"""This project's own workers, as processes, on the database and the broker of the test.

    broker                  the server that the settings name; stop, start, pause, flush
    celery_worker_process   starts a worker; called as often as a test needs workers

Processes even where pytest-celery's workers are containers: they run this checkout's code on the
database that the test itself uses.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from kombu import pools

from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.process import Program
from tests.plugins.servers import OWN_REDIS, current_database_url

PROJECT = Path(__file__).parents[2]
PASSED_ON = ("PATH", "DJANGO_SETTINGS_MODULE", "VAR_DIR")
READY = " ready."
READY_WITHIN = 30.0


class WorkerProcess(Program):
    """A Celery worker of the project: a main process and its pool."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        super().__init__(command, env=env, cwd=cwd, log=log)
        self.name = name
        """What the worker is called in Celery's answers and events."""

    def wait_ready(self, timeout: float = READY_WITHIN) -> None:
        """Return once the worker takes tasks; fails the test, with the log, when it doesn't."""
        wait_until(lambda: self._is_ready() or not self.running, timeout, self._awaited)
        assert self.running, f"The worker ended with {self.returncode}:\n{self.logs()}"

    def wait_for_log(self, text: str, timeout: float = 10) -> None:
        """Return once the worker has written the text; fails the test when it doesn't."""
        wait_until(lambda: text in self.logs(), timeout, lambda: f"{text!r} in:\n{self.logs()}")

    def terminate(self) -> None:
        """SIGTERM, a warm shutdown: the tasks that run are finished. ``wait()`` for the end."""
        self.signal(signal.SIGTERM)

    def _is_ready(self) -> bool:
        return READY in self.logs_since_start()

    def _awaited(self) -> str:
        return f"the worker to get ready. It wrote:\n{self.logs()}"


class WorkerFactory(Protocol):
    """What the fixture ``celery_worker_process`` is."""

    def __call__(
        self,
        concurrency: int = 1,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        ready: bool = True,
    ) -> WorkerProcess:
        """Start a worker with a prefork pool of ``concurrency`` processes."""


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker that the settings name, running and empty; restored after the test."""
    server = request.config.stash.get(OWN_REDIS, None)
    if server is None:
        pytest.fail(
            "TEST_REDIS_URL names a server that a test can't stop. Leave it unset for this test."
        )
    broker = Broker(server)
    broker.restore()
    yield broker
    broker.restore()
    drop_connections()


def drop_connections() -> None:
    """Close this process's connections to the broker, which die with a server that is stopped.

    A process that lives on finds that out at its first use of one; a test starts without any. The
    pools are made anew, as after a fork: one that was only emptied blocks whoever asks it next.
    """
    from aftercommit.outbox.wake import flush_wake_ups
    from celery_app import app  # not before Django's settings can be read

    flush_wake_ups(10)
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


@pytest.fixture
def celery_worker_process(
    transactional_db: None, broker: Broker, tmp_path: Path
) -> Iterator[WorkerFactory]:
    """Start a worker of ``celery_app``: ``celery_worker_process(concurrency=2, env={...})``.

    The worker sees the test's database, which needs real commits, hence ``transactional_db``. It is
    ready when the call returns, unless ``ready=False``. ``env`` is added to its environment, which
    is otherwise a minimal one; ``args`` to its command line. Workers that still run are killed
    before the database is emptied.
    """
    workers: list[WorkerProcess] = []

    def start(
        concurrency: int = 1,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        ready: bool = True,
    ) -> WorkerProcess:
        name = f"worker{len(workers) + 1}@test"
        worker = WorkerProcess(
            name,
            worker_command(name, concurrency, args),
            env={**worker_environment(broker, tmp_path), **(env or {})},
            cwd=PROJECT,
            log=tmp_path / f"{name}.log",
        )
        workers.append(worker)
        worker.start()
        if ready:
            worker.wait_ready()
        return worker

    yield start
    for worker in workers:
        if worker.running:
            worker.kill()  # a warm shutdown takes two seconds, and a test may have frozen it


def worker_command(name: str, concurrency: int, args: Sequence[str]) -> list[str]:
    """The command line of a worker with a prefork pool of ``concurrency`` processes.

    Without the second that a worker spends on asking others what it missed.
    """
    worker = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-n", name]
    pool = ["--pool=prefork", f"--concurrency={concurrency}", "--loglevel=INFO"]
    return [*worker, *pool, "--without-mingle", "--without-gossip", *args]


def worker_environment(broker: Broker, home: Path) -> dict[str, str]:
    """What a worker needs to find the project, the test's database and the broker."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LOG_LEVEL": "INFO",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": current_database_url(),
        "REDIS_URL": broker.url,
    }
