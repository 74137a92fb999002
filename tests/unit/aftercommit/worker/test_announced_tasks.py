"""The tasks of workers that share a database, and the calls of a task that only some have."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db import transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.worker.announced_tasks import (
    announced_signatures,
    is_announced,
    list_own_tasks,
)
from aftercommit.worker.expired_leases import expire_leases
from aftercommit.worker.heartbeat import Heartbeat
from aftercommit.worker.lease import Lease
from aftercommit.worker.sweep import bury_unknown
from tests.connections import locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

GONE = "tests.gone"
GRACE = 3600
DEAD, PENDING = OutboxCall.Status.DEAD, OutboxCall.Status.PENDING


@pytest.fixture(autouse=True)
def _grace(settings: Any) -> None:
    settings.OUTBOX_UNKNOWN_TASK_GRACE = GRACE


def announce(name: str, tasks: Any, seconds: float = 0, is_ended: bool = False) -> None:
    """Have a worker of this name have these tasks, and be seen so many seconds ago."""
    seen_at = Now() - timedelta(seconds=seconds)
    ended_at = seen_at if is_ended else None
    OutboxWorker.objects.create(
        name=name, host="web", pid=1, seen_at=seen_at, ended_at=ended_at, tasks=tasks
    )


def enqueue_unknown(count: int = 1, seconds: float = GRACE + 60) -> None:
    """Commit calls of a task that this process hasn't got, due since so many seconds."""
    with transaction.atomic():
        for number in range(count):
            effects.make_group.delay_on_commit(str(number))
    due = Now() - timedelta(seconds=seconds)
    OutboxCall.objects.update(task=GONE, available_at=due)


class TestUnknownTask:
    """A call whose task this process hasn't got, 61 minutes old."""

    @pytest.mark.parametrize(
        "worker",
        [
            {"tasks": {GONE: "(name)"}},
            {"tasks": {GONE: None}},
            {"tasks": {GONE: "(name)"}, "seconds": GRACE - 60},
            {"tasks": {GONE: "(name)"}, "seconds": 5, "is_ended": True},
            {"tasks": None},
        ],
        ids=["lives", "batch", "killed within the grace", "being deployed", "announces nothing"],
    )
    def test_known_elsewhere(self, worker: dict[str, Any]) -> None:
        """It waits for a worker that has the task, or had it within the grace."""
        enqueue_unknown()
        announce("other@web", **worker)
        assert is_announced("default", GONE)
        assert bury_unknown("default") == 0
        assert OutboxCall.objects.get().status == PENDING

    @pytest.mark.parametrize(
        "worker",
        [
            {"tasks": {"tests.other": "(name)"}},
            {"tasks": {}},
            {"tasks": {GONE: "(name)"}, "seconds": GRACE + 60},
            {"tasks": {GONE: "(name)"}, "seconds": GRACE + 60, "is_ended": True},
            {"tasks": None, "seconds": GRACE + 60},
        ],
        ids=["other", "none", "killed before", "stopped before", "of before"],
    )
    def test_known_nowhere(self, worker: dict[str, Any]) -> None:
        """It is a dead letter if no worker has had the task for the grace."""
        enqueue_unknown()
        announce("other@web", **worker)
        assert bury_unknown("default") == 1
        row = OutboxCall.objects.get()
        assert row.status == DEAD
        assert "No worker has had a task named 'tests.gone'" in row.error

    def test_waits_for_the_grace(self) -> None:
        """It is none before."""
        enqueue_unknown(seconds=GRACE - 60)
        assert bury_unknown("default") == 0

    @row_locks_only
    @pytest.mark.usefixtures("_impatient")
    def test_locked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call that somebody has locked is buried by a later sweep, the others at once."""
        monkeypatch.setattr("aftercommit.worker.rows.CHUNK", 2)
        enqueue_unknown(count=5)
        with locking(OutboxCall.objects.earliest("pk")):
            assert bury_unknown("default") == 4
        assert bury_unknown("default") == 1

    @pytest.mark.parametrize(("tasks", "status"), [({GONE: None}, "running"), ({}, "uncertain")])
    def test_leased(self, tasks: Any, status: str) -> None:
        """Its lease is ended by a worker that knows whether it may run again; if any does."""
        effects.send_again.delay_on_commit("a")
        Lease("default", effects.send_again.name, 60).take()
        OutboxCall.objects.update(task=GONE, available_at=Now() - timedelta(seconds=1))
        announce("other@web", tasks)
        expire_leases("default")
        assert OutboxCall.objects.get().status == status


class TestAnnounced:
    """What a worker announces."""

    def test_tasks(self) -> None:
        """The tasks of its code, with what each takes; a batch task takes calls."""
        tasks = list_own_tasks()
        assert tasks[effects.make_group.name] == "(name)"
        assert tasks[effects.make_group_bound.name] == "(name)"
        assert tasks[effects.take_values.name] == "(**values)"
        assert tasks[effects.make_groups.name] is None
        assert not [name for name in tasks if name.startswith("celery.")]

    def test_in_its_heartbeat(self) -> None:
        """They are in the worker's row, and written again only when they change."""
        now = {"tests.old": "(name)"}
        heartbeat = Heartbeat("worker@web", lambda: now)
        heartbeat.beat("default")
        assert OutboxWorker.objects.get().tasks == now
        OutboxWorker.objects.update(tasks={"somebody": "else"})
        heartbeat.beat("default")
        assert OutboxWorker.objects.get().tasks == {"somebody": "else"}
        now = {"tests.new": "(name, date)"}
        heartbeat.beat("default")
        assert OutboxWorker.objects.get().tasks == now

    def test_defined_later(self) -> None:
        """A task that is defined while the worker runs is announced."""
        list_own_tasks()

        @shared_task(name="tests.late")
        def late(name: str, *, date: str = "today") -> None:
            """Nothing."""

        try:
            assert list_own_tasks()[late.name] == "(name, *, date='today')"
        finally:
            current_app.tasks.unregister("tests.late")

    @pytest.mark.parametrize("text", ["\udc80", "\x00", None])
    def test_odd_default(self, text: str | None) -> None:
        """A default value that can't be shown or stored keeps no worker from its heartbeat."""
        name = f"tests.odd {text!r}"

        class Odd:
            def __repr__(self) -> str:
                return 1 / 0 if text is None else text  # type: ignore[return-value]

        @shared_task(name=name)
        def odd(value: Any = Odd()) -> None:  # noqa: B008
            """Do nothing."""

        try:
            tasks = list_own_tasks()
            assert (tasks[name] is None) == (text is None)
            announce("odd@web", {name: tasks[name]})
        finally:
            current_app.tasks.unregister(name)

    def test_signatures(self) -> None:
        """Each version that a live worker has is named once."""
        for number, takes in enumerate(["(name)", "(name)", "(name, date)", None]):
            announce(f"{number}@web", {GONE: takes})
        announce("killed@web", {GONE: "(killed)"}, seconds=GRACE / 2)
        announce("stopped@web", {GONE: "(stopped)"}, is_ended=True)
        announce("other@web", {"tests.other": "(other)"})
        assert announced_signatures("default", GONE) == ["(any)", "(name)", "(name, date)"]
