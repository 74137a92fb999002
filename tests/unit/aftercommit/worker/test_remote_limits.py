"""Time limits that remote control sets, in two processes of a worker."""

import os

import pytest
from celery import current_app

from aftercommit.worker import remote_limits
from aftercommit.worker.drain import drain_task
from aftercommit.worker.remote_limits import (
    apply_time_limits,
    share_time_limits,
    worker_init_share_limits,
)
from aftercommit.worker.time_limits import Limits
from tests.unit.aftercommit import effects

TASK = effects.make_group.name


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worker, whose task has a soft limit of its own."""
    monkeypatch.setattr(remote_limits, "_shared", {})
    limit(monkeypatch, soft=5, hard=None)
    worker_init_share_limits()


def limit(monkeypatch: pytest.MonkeyPatch, soft: float | None, hard: float | None) -> None:
    """Set the limits in this process, as Celery's remote control does in the main process."""
    monkeypatch.setattr(current_app.tasks[TASK], "soft_time_limit", soft)
    monkeypatch.setattr(current_app.tasks[TASK], "time_limit", hard)


def applied() -> Limits:
    """Return the limits of the task's calls in this process."""
    apply_time_limits()
    return Limits.of(effects.make_group)


def test_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was forked before follows what the main process shares."""
    ready, go = os.pipe(), os.pipe()

    def pool_process() -> Limits:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        return applied()

    def main_process() -> None:
        os.read(ready[0], 1)
        limit(monkeypatch, soft=0.5, hard=7)
        share_time_limits("default")
        os.write(go[1], b"x")

    if not (pid := os.fork()):
        main_process()
        os._exit(0)
    assert pool_process() == Limits(0.5, 7)
    os.waitpid(pid, 0)
    for descriptor in (*ready, *go):
        os.close(descriptor)


def test_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remote control can lift a limit: the worker's own, or the setting's, holds then."""
    limit(monkeypatch, soft=None, hard=None)
    share_time_limits("default")
    limit(monkeypatch, soft=5, hard=None)
    assert applied() == Limits(None, current_app.conf.task_time_limit)


def test_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without remote control a process keeps the limits that it has set itself."""
    share_time_limits("default")
    limit(monkeypatch, soft=3, hard=4)
    assert applied() == Limits(3, 4)


@pytest.mark.django_db
def test_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain begins with the limits that were shared."""
    limit(monkeypatch, soft=2, hard=None)
    share_time_limits("default")
    limit(monkeypatch, soft=5, hard=None)
    drain_task(effects.make_group, "default")
    assert current_app.tasks[TASK].soft_time_limit == 2
