"""Real workers that have this folder's tasks beside the project's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_celery import CeleryTestSetup

from aftercommit.outbox.wake import flush_wake_ups
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker

StartWorker = Callable[..., ProjectWorker]

QUICK = {"OUTBOX_SWEEP_INTERVAL": "0.3", "OUTBOX_CRASH_GRACE": "1"}


@pytest.fixture
def start_worker(celery_setup: CeleryTestSetup) -> StartWorker:
    """Start a worker that sweeps often: ``start_worker(concurrency=2, env={...}, args=[...])``."""

    def start(
        concurrency: int = 1, *, env: dict[str, str] | None = None, args: Sequence[str] = ()
    ) -> ProjectWorker:
        args = ["--include", "tests.integration.outbox.tasks", *args]
        return celery_setup.worker_cluster.start(concurrency, env=QUICK | (env or {}), args=args)

    return start


class Gate:
    """A file that a task in another process waits for."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def wait_reached(self) -> None:
        """Wait until the task is there."""
        reached = Path(self.path).with_suffix(".reached")
        wait_until(reached.exists, 20, "the task to reach its gate")

    def open(self) -> None:
        """Let the task go on."""
        Path(self.path).touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A closed gate."""
    return Gate(tmp_path / "gate")


@pytest.fixture(autouse=True)
def _no_wake_up_of_another_test() -> Any:
    """What a test's own process still has to send is sent before the next test."""
    yield
    flush_wake_ups(10)
