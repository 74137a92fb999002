"""Rows that another version of the code wrote, and workers that don't have a task."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.utils.functional import head_from_fun
from django.core.management import call_command
from django.db import transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.outbox.carriers import encode_context
from aftercommit.outbox.ids import new_id
from aftercommit.outbox.wake import wake_task
from aftercommit.worker.drain import drain_all
from aftercommit.worker.heartbeat import worker_ages
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.reliability import poison_tasks as poison
from tests.reliability.conftest import POISON, StartWorker
from tests.reliability.state import TIMEOUT, left, wait_held, wait_settled, written
from tests.reliability.tasks import the_task, write, write_one
from tests.reliability.versions import NAME

pytestmark = pytest.mark.django_db(transaction=True)

DEAD = OutboxCall.Status.DEAD

Deploy = Callable[[Callable[..., None]], None]


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Have this function be what ``write_one`` runs."""

    def deploy(function: Callable[..., None]) -> None:
        task = the_task(write_one)
        monkeypatch.setattr(task, "run", function)
        monkeypatch.setattr(task, "__header__", staticmethod(head_from_fun(function)))

    return deploy


def dated(name: str, date: str) -> None:
    """A version that needs one more argument."""
    write([f"{name} {date}"])


def defaulted(name: str, date: str = "undated") -> None:
    """One that knows what to do without it."""
    write([f"{name} {date}"])


def bare() -> None:
    """One that needs one less."""
    write(["bare"])


def tolerant(**old: Any) -> None:
    """One that takes what it doesn't need any more."""
    write(["bare"])


@pytest.mark.parametrize(
    ("broken", "error", "fixed", "effect"),
    [
        (dated, "missing 1 required positional argument: 'date'", defaulted, "a undated"),
        (bare, "got an unexpected keyword argument 'name'", tolerant, "bare"),
    ],
)
def test_dead_then_replayed(
    deploy: Deploy,
    broken: Callable[..., None],
    error: str,
    fixed: Callable[..., None],
    effect: str,
) -> None:
    """A row with an argument too few or too many waits, then is dead, and can be retried."""
    write_one.delay_on_commit(name="a")
    deploy(broken)
    assert drain_all().dead == 0
    waiting = OutboxCall.objects.get()
    assert (waiting.status, waiting.attempts) == (OutboxCall.Status.PENDING, 0)
    assert "waits for a worker whose code takes its arguments" in waiting.error
    hour_ago = Now() - timedelta(hours=1)
    OutboxCall.objects.update(misfit_since=hour_ago, available_at=hour_ago)
    assert drain_all().dead == 1
    row = OutboxCall.objects.get()
    assert (row.status, row.attempts) == (DEAD, 1)
    assert error in row.error
    assert write_one.name in row.error
    deploy(fixed)
    assert drain_all().total == 0
    call_command("outbox", "retry", "--task", write_one.name, "--yes")
    assert drain_all().dead == 0
    assert written() == [effect]
    assert not OutboxCall.objects.exists()


@pytest.mark.parametrize(("version", "effect"), [(defaulted, "a undated"), (tolerant, "bare")])
def test_declared_upgrade(deploy: Deploy, version: Callable[..., None], effect: str) -> None:
    """A default value and ``**`` are how a function declares that it takes older rows."""
    write_one.delay_on_commit(name="a")
    deploy(version)
    report = drain_all()
    assert (report.settled, report.dead) == (1, 0)
    assert written() == [effect]


def test_neighbours(deploy: Deploy, settings: Any) -> None:
    """Rows of both versions in one batch: those that fit settle."""
    settings.OUTBOX_UNKNOWN_TASK_GRACE = 0
    write_one.delay_on_commit(name="old")
    deploy(dated)
    with transaction.atomic():
        write_one.delay_on_commit(name="new", date="today")  # type: ignore[call-arg]
    report = drain_all()
    assert (report.settled, report.dead) == (1, 1)
    assert written() == ["new today"]


def test_rolling_deploy(start_worker: StartWorker) -> None:
    """While workers of two versions run, each call comes to one that takes its arguments."""
    for version in ("old", "new"):
        start_worker(env={"CODE_VERSION": version}, include=["tests.reliability.versions"])
    for number in range(4):
        commit_version({"name": f"old{number}"})
        commit_version({"name": f"new{number}", "date": "today"})
    wait_settled()
    assert written() == sorted(
        [*(f"old{number}" for number in range(4)), *(f"new{number} today" for number in range(4))]
    )


def test_no_worker_fits(start_worker: StartWorker) -> None:
    """A call that fits none for the grace is a dead letter with the arguments of both versions."""
    grace = {"OUTBOX_UNKNOWN_TASK_GRACE": "1"}
    for version in ("old", "new"):
        start_worker(env={"CODE_VERSION": version} | grace, include=["tests.reliability.versions"])
    commit_version({"title": "a"})
    error = wait_held(DEAD).error
    assert "(name)" in error
    assert "(name, date)" in error
    assert '{"title": "a"}' in error


def commit_version(kwargs: dict[str, str]) -> None:
    """Commit a call of ``take`` as a site of some version does, and wake its workers."""
    OutboxCall.objects.create(
        pk=new_id(), task=NAME, payload=json.dumps([[], kwargs]), context=encode_context()
    )
    wake_task("default", NAME)


def test_worker_without_the_task(start_worker: StartWorker) -> None:
    """It leaves the row as it is, for a worker that has the task, also while both run."""
    old = start_worker()
    poison.one.delay_on_commit(name="a")
    drained = f"{{'task': '{poison.one.name}'}}"  # what a drain returns that did nothing
    old.wait_for_log(drained, timeout=TIMEOUT)
    rows = OutboxCall.objects.values_list("status", "attempts", "crashes", "error")
    assert list(rows) == [(OutboxCall.Status.PENDING, 0, 0, "")]
    start_worker(include=[POISON])
    wait_until(lambda: written() == ["a"], TIMEOUT, lambda: left() + old.logs())
    for name in "bcd":
        poison.one.delay_on_commit(name=name)
    wait_settled()
    assert written() == ["a", "b", "c", "d"]
    assert old.running


@pytest.mark.parametrize("old", ["lives", "stops"])
def test_worker_of_another_service(start_worker: StartWorker, old: str) -> None:
    """A worker without the task leaves old calls to those that have it, or had it just now."""
    other = start_worker(include=[POISON])
    wait_until(lambda: poison.one.name in announced(other), TIMEOUT, "its announcement")
    if old == "stops":
        other.terminate()
        assert other.wait(TIMEOUT) == 0
    else:
        other.pause()
    poison.one.delay_on_commit(name="a")
    OutboxCall.objects.update(available_at=Now() - timedelta(minutes=61))
    without = start_worker()
    wait_until(lambda: write_one.name in announced(without), TIMEOUT, "the other's announcement")
    write_one.apply_async_on_commit(kwargs={"name": "b"}, countdown=0.01)  # for a sweep
    wait_until(lambda: written() == ["b"], TIMEOUT, left)
    OutboxWorker.objects.filter(name=without.hostname()).update(
        seen_at=Now() - timedelta(minutes=1)
    )
    wait_until(lambda: worker_ages("default")[without.hostname()] < 30, TIMEOUT, "more sweeps")
    assert OutboxCall.objects.get().status == OutboxCall.Status.PENDING
    if old == "stops":
        other.start()
    else:
        other.resume()
    wait_settled()
    assert written() == ["a", "b"]


def announced(worker: ProjectWorker) -> Any:
    """Return the tasks that the worker announces."""
    row = OutboxWorker.objects.filter(name=worker.hostname()).first()
    return row.tasks if row else {}
