"""Rows that another version of the code wrote, and workers that don't have a task."""

from collections.abc import Callable
from typing import Any

import pytest
from celery.utils.functional import head_from_fun
from django.core.management import call_command
from django.db import transaction

from core.models import OutboxCall
from core.outbox.drain import drain_all
from tests.reliability import poison_tasks as poison
from tests.reliability.conftest import POISON, StartWorker
from tests.reliability.state import TIMEOUT, left, wait_settled, written
from tests.reliability.tasks import the_task, write, write_one
from tests.wait import wait_for

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
    """A row with an argument too few or too many is dead at once; after a fix it can be retried."""
    write_one.delay_on_commit(name="a")
    deploy(broken)
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


def test_neighbours(deploy: Deploy) -> None:
    """Rows of both versions in one batch: those that fit settle."""
    write_one.delay_on_commit(name="old")
    deploy(dated)
    with transaction.atomic():
        write_one.delay_on_commit(name="new", date="today")
    report = drain_all()
    assert (report.settled, report.dead) == (1, 1)
    assert written() == ["new today"]


def test_worker_without_the_task(start_worker: StartWorker) -> None:
    """It leaves the row as it is, for a worker that has the task, also while both run."""
    old = start_worker()
    poison.one.delay_on_commit(name="a")
    old.wait_for_log("unregistered task", TIMEOUT)
    rows = OutboxCall.objects.values_list("status", "attempts", "crashes", "error")
    assert list(rows) == [(OutboxCall.Status.PENDING, 0, 0, "")]
    start_worker(include=[POISON])
    wait_for(lambda: written() == ["a"], TIMEOUT, lambda: left() + old.logs())
    for name in "bcd":
        poison.one.delay_on_commit(name=name)
    wait_settled()
    assert written() == ["a", "b", "c", "d"]
    assert old.running
