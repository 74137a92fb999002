"""What the sweep finds, and the threads that sweep."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed
from celery.exceptions import QueueNotFound
from celery.worker import state
from django.db import OperationalError, connections, transaction
from django.db.models import F
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.worker import periodic, sweep
from aftercommit.worker import sweeper as sweeper_module
from aftercommit.worker.due import due_ages
from aftercommit.worker.heartbeat import Heartbeat
from aftercommit.worker.sweeper import Sweeper
from core.stack.waiting import wait_until
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that the sweep woke."""
    names: list[str] = []
    monkeypatch.setattr(sweep, "send_wake_up", lambda using, task: names.append(task))
    return names


def test_due_ages() -> None:
    """Each task with due calls, and how long the oldest has been due."""
    with transaction.atomic():
        for name in "ab":
            effects.make_group.delay_on_commit(name)
            effects.make_groups.delay_on_commit(name=name)
        effects.send_outside.apply_async_on_commit(["later"], countdown=60)
    OutboxCall.objects.filter(pk=OutboxCall.objects.earliest("pk").pk).update(
        available_at=F("available_at") - timedelta(seconds=100)
    )
    ages = due_ages("default")
    assert set(ages) == {effects.make_group.name, effects.make_groups.name}
    assert 100 <= ages[effects.make_group.name] < 110
    assert 0 <= ages[effects.make_groups.name] < 10


def test_wakes_what_is_due(woken: list[str]) -> None:
    """A task with due calls is woken, whatever happened to its wake-up; others are not."""
    effects.make_group.delay_on_commit("a")
    effects.make_groups.apply_async_on_commit(kwargs={"name": "later"}, countdown=60)
    effects.send_again.delay_on_commit("gone")
    OutboxCall.objects.filter(task=effects.send_again.name).update(task="tests.gone")
    sweep.sweep("default")
    assert woken == [effects.make_group.name]


@pytest.mark.parametrize(
    "error", [QueueNotFound("no queue"), PreconditionFailed("declared otherwise", (50, 10))]
)
def test_one_that_has_no_queue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """A task whose wake-ups can't be sent is named, and keeps no other from being woken."""
    names: list[str] = []

    def send(using: str, task: str) -> None:
        if task == effects.make_group.name:
            raise error
        names.append(task)

    monkeypatch.setattr(sweep, "send_wake_up", send)
    effects.make_group.delay_on_commit("a")
    effects.make_groups.delay_on_commit(name="a")
    sweep.sweep("default")
    assert names == [effects.make_groups.name]
    assert [each.getMessage() for each in caplog.records] == [
        f"Not woken: {effects.make_group.name} in 'default': {error}"
    ]


def test_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker one task is tried, not each of them."""
    tried: list[str] = []

    def send(using: str, task: str) -> None:
        tried.append(task)
        raise ConnectionRefusedError

    monkeypatch.setattr(sweep, "send_wake_up", send)
    effects.make_group.delay_on_commit("a")
    effects.make_groups.delay_on_commit(name="a")
    with pytest.raises(ConnectionRefusedError):
        sweep.sweep("default")
    assert len(tried) == 1


def test_retry_that_fell_due(woken: list[str]) -> None:
    """A retry is found when its time has come."""
    effects.make_group.apply_async_on_commit(["a"], countdown=60)
    sweep.sweep("default")
    assert woken == []
    OutboxCall.objects.update(available_at=Now())
    sweep.sweep("default")
    assert woken == [effects.make_group.name]


def test_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A sweep that fails is not the last one."""
    settings.OUTBOX_SWEEP_INTERVAL = 0.01
    swept: list[str] = []

    def fail(using: str) -> None:
        swept.append(using)
        raise ConnectionError("no database")

    monkeypatch.setattr(sweeper_module, "sweep", fail)
    sweeper = Sweeper()
    sweeper.start()
    wait_until(lambda: len(swept) >= 3, 10, "three sweeps")
    sweeper.stop()
    assert not sweeper.is_alive()


class TestSweeper:
    """The threads that sweep and recover."""

    @pytest.fixture
    def start(self, settings: Any) -> Iterator[Callable[..., Sweeper]]:
        """Start a sweeper that is stopped at the end."""
        settings.OUTBOX_SWEEP_INTERVAL = 0.01
        sweepers: list[Sweeper] = []

        def start(worker: str = "") -> Sweeper:
            sweepers.append(Sweeper(worker))
            sweepers[0].start()
            return sweepers[0]

        yield start
        for sweeper in sweepers:
            sweeper.stop()
            assert not sweeper.is_alive()

    @pytest.mark.parametrize("error", [OperationalError("no server"), SystemExit()])
    def test_ends(
        self,
        monkeypatch: pytest.MonkeyPatch,
        start: Callable[..., Sweeper],
        caplog: Any,
        error: BaseException,
    ) -> None:
        """A thread that anything would have ended goes on, and the log says what it was."""
        swept: list[str] = []
        close_all = connections.close_all

        def fail() -> None:
            close_all()
            if threading.current_thread().name == "outbox-sweep" and len(swept) < 3:
                raise error

        monkeypatch.setattr(sweeper_module, "sweep", swept.append)
        monkeypatch.setattr(periodic.connections, "close_all", fail)
        start()
        wait_until(lambda: len(swept) >= 5, 10, "sweeps after the errors")
        records = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert len(records) == 2
        assert all(each.exc_info and "outbox-sweep" in each.getMessage() for each in records)

    def test_revokes(self, start: Callable[..., Sweeper]) -> None:
        """A pending call that the worker was told to revoke is taken back."""
        effects.make_group.apply_async_on_commit(["a"], countdown=3600)
        revoked = str(OutboxCall.objects.get().pk)
        state.revoked.add(revoked)
        try:
            start()
            wait_until(lambda: not OutboxCall.objects.exists(), 10, "the call to be revoked")
        finally:
            state.revoked.discard(revoked)

    def test_slow_recovery(
        self, monkeypatch: pytest.MonkeyPatch, start: Callable[..., Sweeper]
    ) -> None:
        """Heartbeats and wake-ups don't wait for a recovery that takes long."""
        in_it, over = threading.Event(), threading.Event()
        swept: list[str] = []
        beats: list[str] = []

        def recover(using: str) -> None:
            in_it.set()
            over.wait(30)

        monkeypatch.setattr(sweeper_module, "recover", recover)
        monkeypatch.setattr(sweeper_module, "sweep", swept.append)
        monkeypatch.setattr(Heartbeat, "beat", lambda self, using: beats.append(using))
        start("worker@web")
        assert in_it.wait(10)
        count = len(swept), len(beats)
        wait_until(lambda: len(swept) > count[0] + 2 < len(beats), 10, "sweeps and heartbeats")
        over.set()

    def test_after_an_outage(
        self, monkeypatch: pytest.MonkeyPatch, start: Callable[..., Sweeper]
    ) -> None:
        """Once the database is back, those who live have an interval to tell what they know."""
        did: list[str] = []
        ensure = type(connections["default"]).ensure_connection

        def connect(self: Any) -> None:
            if threading.current_thread().name == "outbox-recover":
                did.append("connected")
            ensure(self)

        def recover(using: str) -> None:
            did.append("recover")
            if did.count("recover") == 1:
                raise OperationalError("no server")

        monkeypatch.setattr(type(connections["default"]), "ensure_connection", connect)
        monkeypatch.setattr(sweeper_module, "recover", recover)
        start()
        wait_until(lambda: did.count("recover") >= 3, 10, "recoveries")
        assert did[:2] == ["recover", "connected"]
