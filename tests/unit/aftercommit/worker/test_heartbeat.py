"""A worker's heartbeat."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now

from aftercommit.models import OutboxWorker
from aftercommit.worker import periodic
from aftercommit.worker import sweeper as sweeper_module
from aftercommit.worker.heartbeat import Heartbeat, forget_workers, stale_seconds, worker_ages
from aftercommit.worker.sweeper import Sweeper
from core.stack.waiting import wait_until
from tests.connections import another, locking
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture
from tests.unit.aftercommit.observe import statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

NAME = "worker@web"


def age(name: str = NAME, **values: Any) -> None:
    """Have the worker's row be an hour old."""
    hour_ago = Now() - timedelta(hours=1)
    OutboxWorker.objects.filter(name=name).update(started_at=hour_ago, seen_at=hour_ago, **values)


class TestBeat:
    """``Heartbeat.beat()``."""

    def test_first(self) -> None:
        """Says which worker lives, where, and since when by the database's clock."""
        Heartbeat(NAME).beat("default")
        worker = OutboxWorker.objects.get()
        assert (worker.name, worker.host, worker.pid) == (NAME, socket.gethostname(), os.getpid())
        assert worker_ages("default")[NAME] < 30
        assert abs(worker.seen_at - worker.started_at) < timedelta(seconds=1)

    def test_later(self) -> None:
        """Says that it still does; since when stays."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        age()
        started_at = OutboxWorker.objects.get().started_at
        heartbeat.beat("default")
        assert OutboxWorker.objects.get().started_at == started_at
        assert worker_ages("default")[NAME] < 30

    def test_later_costs_one_update(self) -> None:
        """A beat looks whether the row is free, and updates it; its tasks are not written again."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        with statements() as seen:
            heartbeat.beat("default")
        seen = [each for each in seen if each not in ("BEGIN", "COMMIT")]
        assert [each for each in seen if "outboxworker" in each] == [
            "SELECT aftercommit_outboxworker",
            "UPDATE aftercommit_outboxworker",
        ]

    def test_replacement(self) -> None:
        """A worker that takes the place of one that was killed takes its name and is new.

        Also in a container, where both have the same host and process id.
        """
        Heartbeat(NAME).beat("default")
        age()
        Heartbeat(NAME).beat("default")
        worker = OutboxWorker.objects.get()
        assert worker_ages("default")[NAME] < 30
        assert abs(worker.seen_at - worker.started_at) < timedelta(seconds=1)

    def test_of_another_process(self) -> None:
        """Nor does the other's process id stay."""
        OutboxWorker.objects.create(name=NAME, host="gone", pid=1)
        Heartbeat(NAME).beat("default")
        worker = OutboxWorker.objects.get()
        assert (worker.host, worker.pid) == (socket.gethostname(), os.getpid())

    def test_row_is_gone(self) -> None:
        """A row that somebody deleted is written again."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        OutboxWorker.objects.all().delete()
        heartbeat.beat("default")
        assert list(worker_ages("default")) == [NAME]

    def test_successor(self) -> None:
        """A killed worker of another name is missed until this one has come."""
        seen_at = Now() - timedelta(hours=1)
        OutboxWorker.objects.create(name="worker@old", host="old", pid=1, seen_at=seen_at)
        assert list(worker_ages("default")) == ["worker@old"]
        Heartbeat(NAME).beat("default")
        assert list(worker_ages("default")) == [NAME]

    def test_same_name(self) -> None:
        """A worker that starts again under its name has come for nobody."""
        hour_ago, two = Now() - timedelta(hours=1), Now() - timedelta(hours=2)
        for name in ("worker@old", NAME):
            OutboxWorker.objects.create(
                name=name, host="old", pid=1, seen_at=hour_ago, first_seen_at=two
            )
        Heartbeat(NAME).beat("default")
        assert list(worker_ages("default")) == ["worker@old", NAME]

    def test_long_gone(self) -> None:
        """A worker that was killed more than a day ago is forgotten, a later one isn't."""
        for name, hours in (("long@web", 25), ("late@web", 23)):
            seen_at = Now() - timedelta(hours=hours)
            OutboxWorker.objects.create(name=name, host="web", pid=1, seen_at=seen_at)
        forget_workers("default")
        assert list(worker_ages("default")) == ["late@web"]


@pytest.mark.only_on("sqlite", reason="only a file has one writer")
def test_beside_a_writer() -> None:
    """On SQLite a heartbeat waits a second for its turn to write, not as long as a request may."""
    heartbeat = Heartbeat(NAME)
    heartbeat.beat("default")
    patience = busy_timeout()
    with another() as other, other.cursor() as cursor:
        cursor.execute("UPDATE aftercommit_outboxworker SET pid = pid")
        begin = time.monotonic()
        with pytest.raises(OperationalError, match="locked"):
            heartbeat.beat("default")
        assert time.monotonic() - begin < patience / 1000 / 2
    assert busy_timeout() == patience
    heartbeat.beat("default")


def busy_timeout() -> int:
    """Return the milliseconds that this connection waits for its turn."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])


@row_locks_only
@pytest.mark.usefixtures("_impatient")
class TestLocked:
    """Rows that another transaction has locked."""

    def test_own(self, caplog: Any) -> None:
        """A heartbeat doesn't wait for its row; the log says so, and the next one writes it."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        age()
        with locking(OutboxWorker.objects.get()):
            heartbeat.beat("default")
            heartbeat.end("default")
            Heartbeat(NAME).beat("default")
        assert "is locked" in caplog.text
        assert worker_ages("default")[NAME] > 30
        heartbeat.beat("default")
        assert worker_ages("default")[NAME] < 30

    def test_long_gone(self) -> None:
        """Nor does the deletion of rows that are old."""
        for name in "abc":
            Heartbeat(name).beat("default")
        OutboxWorker.objects.update(seen_at=Now() - timedelta(hours=25))
        with locking(OutboxWorker.objects.get(name="a")):
            forget_workers("default")
            assert list(worker_ages("default")) == ["a"]
        forget_workers("default")
        assert not worker_ages("default")


class TestEnd:
    """``Heartbeat.end()``."""

    def test_own(self) -> None:
        """A worker that stops is none that lives, or that is missed."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        Heartbeat("other@web").beat("default")
        heartbeat.end("default")
        assert list(worker_ages("default")) == ["other@web"]

    def test_starts_again(self) -> None:
        """One that is started again under its name lives again."""
        for _ in range(2):
            heartbeat = Heartbeat(NAME)
            heartbeat.beat("default")
            assert list(worker_ages("default")) == [NAME]
            heartbeat.end("default")
            assert not worker_ages("default")

    def test_kept_for_its_tasks(self, settings: Any) -> None:
        """Its row stays for as long as calls wait for a worker that has their task."""
        Heartbeat(NAME).beat("default")
        OutboxWorker.objects.update(seen_at=Now() - timedelta(hours=25))
        settings.OUTBOX_UNKNOWN_TASK_GRACE = 26 * 3600
        forget_workers("default")
        assert OutboxWorker.objects.exists()

    def test_of_a_successor(self) -> None:
        """It leaves the row of one that has taken its name."""
        heartbeat = Heartbeat(NAME)
        heartbeat.beat("default")
        OutboxWorker.objects.update(host="successor")
        heartbeat.end("default")
        assert list(worker_ages("default")) == [NAME]


@pytest.mark.parametrize(
    ("given", "interval", "seconds"), [(None, 2, 30), (None, 60, 180), (5, 60, 5)]
)
def test_stale_seconds(settings: Any, given: Any, interval: float, seconds: float) -> None:
    """What is given, or 30 seconds, or three sweeps where that is longer."""
    settings.OUTBOX_STALE_WORKER = given
    settings.OUTBOX_SWEEP_INTERVAL = interval
    assert stale_seconds() == seconds


class TestSweeper:
    """The thread that beats."""

    @pytest.fixture
    def sweeper(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeper]:
        """One that sweeps often, finds nothing and is stopped at the end."""
        settings.OUTBOX_SWEEP_INTERVAL = 0.05
        monkeypatch.setattr(sweeper_module, "sweep", lambda using: None)
        sweeper = Sweeper(NAME)
        yield sweeper
        sweeper.stop()
        assert not sweeper.is_alive()

    def test_at_once(self, sweeper: Sweeper, settings: Any) -> None:
        """It beats when it starts, before the first sweep."""
        settings.OUTBOX_SWEEP_INTERVAL = 3600
        sweeper.start()
        wait_until(lambda: list(worker_ages("default")) == [NAME], 30, "the heartbeat")

    def test_at_each_sweep(self, sweeper: Sweeper) -> None:
        """It beats on, and says so when it stops."""
        sweeper.start()
        wait_until(OutboxWorker.objects.exists, 30, "the heartbeat")
        age()
        wait_until(lambda: worker_ages("default")[NAME] < 30, 30, "another heartbeat")
        sweeper.stop()
        assert not worker_ages("default")
        assert OutboxWorker.objects.get().ended_at

    def test_sweep_fails(self, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sweep that fails doesn't stop the heart."""

        def fail(using: str) -> None:
            raise ConnectionError("no broker")

        monkeypatch.setattr(sweeper_module, "sweep", fail)
        self.test_at_each_sweep(sweeper)

    def test_sweep_hangs(self, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor does a sweep that waits for a broker without an end, whatever the transport."""
        over = threading.Event()
        monkeypatch.setattr(sweeper_module, "sweep", lambda using: over.wait(60))
        # As long as a busy machine takes for the last heartbeat; the sweep is waited for in vain.
        monkeypatch.setattr(sweeper_module, "STOP_SECONDS", 2)
        try:
            self.test_at_each_sweep(sweeper)
        finally:
            over.set()

    def test_heartbeat_fails(self, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor does a heartbeat that can't be written stop the sweep."""
        swept: list[str] = []

        def fail(self: Heartbeat, using: str) -> None:
            raise ConnectionError("no such table")

        monkeypatch.setattr(Heartbeat, "beat", fail)
        monkeypatch.setattr(sweeper_module, "sweep", swept.append)
        sweeper.start()
        wait_until(lambda: len(swept) >= 3, 30, "three sweeps")

    def test_one_database_fails(self, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database that fails doesn't keep the next from being swept."""
        swept: list[str] = []

        def fail_first(using: str) -> None:
            swept.append(using)
            if using == "broken":
                raise ConnectionError("no server")

        monkeypatch.setattr(periodic, "outbox_aliases", lambda: ["broken", "default"])
        monkeypatch.setattr(sweeper_module, "sweep", fail_first)
        sweeper.start()
        wait_until(lambda: swept.count("default") >= 2, 30, "two sweeps")
        assert swept[:2] == ["broken", "default"]
        wait_until(lambda: list(worker_ages("default")) == [NAME], 30, "a heartbeat")
