"""Which tasks the workers have that share a database, and who decides of a call by that."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db import transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.outbox.call import Call, SignatureError
from aftercommit.outbox.task import find_task
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.heartbeat import Heartbeat
from aftercommit.worker.lease import Lease, expire_leases
from aftercommit.worker.registry import (
    Misfit,
    is_known_elsewhere,
    judge_misfit,
    known_tasks,
    signatures,
)
from aftercommit.worker.sweep import bury_unknown
from tests.connections import locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

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
        assert is_known_elsewhere("default", GONE)
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
        tasks = known_tasks()
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
        known_tasks()

        @shared_task(name="tests.late")
        def late(name: str, *, date: str = "today") -> None:
            """Nothing."""

        try:
            assert known_tasks()[late.name] == "(name, *, date='today')"
        finally:
            current_app.tasks.unregister("tests.late")

    def test_signatures(self) -> None:
        """Each version that a live worker has is named once."""
        for number, takes in enumerate(["(name)", "(name)", "(name, date)", None]):
            announce(f"{number}@web", {GONE: takes})
        announce("killed@web", {GONE: "(killed)"}, seconds=GRACE / 2)
        announce("stopped@web", {GONE: "(stopped)"}, is_ended=True)
        announce("other@web", {"tests.other": "(other)"})
        assert signatures("default", GONE) == ["(any)", "(name)", "(name, date)"]


class TestMisfit:
    """A call whose arguments this code's function doesn't take."""

    error = SignatureError("make_group: missing a required argument: 'date'")

    @pytest.fixture
    def call(self) -> Iterator[Call]:
        """One, locked by its drain."""
        effects.make_group.delay_on_commit("a")
        batch = claim_batch("default", effects.make_group.name, 10)
        assert batch
        with transaction.atomic():
            yield batch.lock()[0]

    def ask(self, call: Call) -> Misfit:
        """Return what is decided."""
        return judge_misfit("default", call, find_task(call.task), self.error)

    def age(self, seconds: float) -> None:
        """Have it wait since so many seconds."""
        OutboxCall.objects.update(misfit_since=Now() - timedelta(seconds=seconds))

    def test_waits(self, call: Call) -> None:
        """It is put off for the grace, which begins when it is first found not to fit."""
        OutboxCall.objects.update(created_at=Now() - timedelta(seconds=10 * GRACE))
        waits = self.ask(call)
        assert waits.seconds
        assert waits.seconds < 2
        assert "waits for a worker whose code takes its arguments" in waits.text
        self.age(GRACE - 60)
        later = self.ask(call).seconds
        assert later
        assert GRACE / 20 < later < GRACE / 5

    def test_dead(self, call: Call) -> None:
        """Then it is a dead letter, which says what was given, and what each version takes."""
        announce("new@web", {call.task: "(name, date)"})
        self.ask(call)
        self.age(GRACE + 60)
        dead = self.ask(call)
        text = dead.text
        assert dead.seconds is None
        assert "missing a required argument: 'date'" in text
        assert '[["a"], {}]' in text
        assert f"What {call.task} takes here: (name)" in text
        assert "in the workers that live: (name, date)" in text

    def test_retried(self, call: Call) -> None:
        """One that is retried after that waits anew."""
        self.ask(call)
        self.age(GRACE + 60)
        assert self.ask(call).seconds is None
        assert self.ask(call).seconds

    def test_no_grace(self, call: Call, settings: Any) -> None:
        """Without a grace it is dead at once."""
        settings.OUTBOX_UNKNOWN_TASK_GRACE = 0
        assert self.ask(call).seconds is None

    def test_settled_meanwhile(self, call: Call) -> None:
        """A call that is gone is no dead letter."""
        OutboxCall.objects.all().delete()
        assert self.ask(call).seconds
