"""A worker is killed at each step of a drain, or told to stop: no effect is lost or doubled."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxBatch, OutboxCall, OutboxWorker
from aftercommit.worker.heartbeat import worker_ages
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.connections import another, at_once
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWorker
from tests.reliability.state import TIMEOUT, journals, left, wait_held, wait_settled, written

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ["a", "b", "c"]

TASKS = {
    "single": tasks.write_one,
    "batch": tasks.write_batch,
    "statement": tasks.write_by_statement,
}

either = pytest.mark.parametrize("task", [pytest.param("single", marks=pytest.mark.slow), "batch"])

BEFORE_COMMIT = ["woken", "claimed", "in the effect", "effect had", "settled"]

Kill = Callable[[ProjectWorker], None]

WorkerAt = Callable[[str, Callable[[], object]], ProjectWorker]


def kill_child(worker: ProjectWorker) -> None:
    """End the process that runs the task; the worker starts another."""
    worker.kill_children()


def kill_worker(worker: ProjectWorker) -> None:
    """End all of the worker, and start it again."""
    worker.kill()
    worker.start()


def commit(task: str, names: list[str] = NAMES) -> None:
    """Commit a call for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            TASKS[task].delay_on_commit(name=name)


@pytest.fixture
def worker_at(start_worker: StartWorker, gate: Gate) -> WorkerAt:
    """Have a worker come to the point by what is committed then: ``worker_at("woken", commit)``."""

    def start(point: str, commit: Callable[[], object]) -> ProjectWorker:
        worker = start_worker(point=point)
        commit()
        gate.wait_reached()
        return worker

    return start


class Outside:
    """A file to which a call adds its line: an effect that no rollback takes back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def send(self, name: str = "a") -> None:
        """Commit a call whose effect is had at most once."""
        tasks.send.delay_on_commit(name=name, path=str(self._path))

    def resend(self) -> None:
        """Commit one whose effect may be had again."""
        tasks.resend.delay_on_commit(name="a", path=str(self._path))

    @property
    def lines(self) -> list[str]:
        """The effects so far."""
        return self._path.read_text().split()


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    """An empty file."""
    return Outside(tmp_path / "outside")


class TestEffectInDatabase:
    """Had exactly once, wherever its process dies."""

    @pytest.mark.parametrize("point", BEFORE_COMMIT)
    @pytest.mark.parametrize(
        ("task", "kill"),
        [
            ("batch", kill_worker),
            # A child that is killed after the commit, or in an effect, is in `make test`.
            pytest.param("batch", kill_child, marks=pytest.mark.slow),
            pytest.param("single", kill_worker, marks=pytest.mark.slow),
        ],
    )
    def test_killed_before_commit(
        self, worker_at: WorkerAt, gate: Gate, task: str, point: str, kill: Kill
    ) -> None:
        """What didn't commit is undone with the process; another one has each effect."""
        kill(worker_at(point, lambda: commit(task)))
        assert written() == []
        assert OutboxCall.objects.count() == len(NAMES)
        gate.open()
        wait_settled()
        assert written() == NAMES

    @pytest.mark.parametrize("kill", [kill_worker, kill_child])
    @either
    def test_killed_after_commit(
        self, worker_at: WorkerAt, gate: Gate, task: str, kill: Kill
    ) -> None:
        """What committed stays, though the task never returned, and isn't had again."""
        kill(worker_at("drained", lambda: commit(task)))
        assert written() == NAMES
        gate.open()
        commit(task, ["d"])
        wait_settled()
        assert written() == [*NAMES, "d"]


@pytest.mark.only_on("postgres", reason="elsewhere the task's function runs")
class TestStatement:
    """A batch that the server settles by itself, whoever asked for it."""

    @pytest.mark.parametrize("kill", [kill_worker, kill_child])
    def test_killed_in_it(self, start_worker: StartWorker, kill: Kill) -> None:
        """A server that learns too late that its client is dead has the effects, but once."""
        worker = start_worker()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK content_product")
            at_once(lambda: commit("statement"))
            wait_until(is_waiting, TIMEOUT, "the statement to wait for the table")
            kill(worker)
        wait_settled()
        assert written() == NAMES

    @pytest.mark.parametrize("kill", [kill_worker, kill_child])
    def test_killed_after_it(self, worker_at: WorkerAt, gate: Gate, kill: Kill) -> None:
        """What it settled stays, though the drain never ended."""
        kill(worker_at("settled by statement", lambda: commit("statement")))
        assert written() == NAMES
        gate.open()
        commit("statement", ["d"])
        wait_settled()
        assert written() == [*NAMES, "d"]


def is_waiting() -> bool:
    """Whether a statement that settles calls waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees no news
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%settled%'"
        )
        return cursor.fetchone() is not None


class TestEffectOutside:
    """Had at most once, and held as uncertain where nobody can know."""

    @pytest.mark.parametrize(
        ("point", "kill", "lines"),
        [
            ("leased", kill_worker, []),
            ("in the effect", kill_worker, ["a"]),
            ("in the effect", kill_child, ["a"]),
            ("sent", kill_worker, ["a"]),
        ],
    )
    def test_killed_before_marked(
        self,
        worker_at: WorkerAt,
        gate: Gate,
        outside: Outside,
        point: str,
        kill: Kill,
        lines: list[str],
    ) -> None:
        """A call that was leased and not marked is uncertain, and isn't run again."""
        kill(worker_at(point, outside.send))
        gate.open()
        assert "the process that ran it was lost" in wait_held("uncertain").error
        assert outside.lines == lines

    def test_killed_before_leased(self, worker_at: WorkerAt, gate: Gate, outside: Outside) -> None:
        """A call that was not leased yet is run by another process."""
        kill_worker(worker_at("woken", outside.send))
        gate.open()
        wait_settled()
        assert outside.lines == ["a"]

    def test_killed_after_marked(self, worker_at: WorkerAt, gate: Gate, outside: Outside) -> None:
        """A call that was marked is settled, though the task never returned."""
        kill_worker(worker_at("drained", outside.send))
        gate.open()
        outside.send("b")
        wait_settled()
        assert outside.lines == ["a", "b"]

    def test_resend(self, worker_at: WorkerAt, gate: Gate, outside: Outside) -> None:
        """A task that asks for it has its effect again when its process was lost in it."""
        kill_worker(worker_at("in the effect", outside.resend))
        gate.open()
        wait_settled()
        assert outside.lines == ["a", "a"]

    def test_frozen_longer_than_the_lease(
        self, worker_at: WorkerAt, start_worker: StartWorker, gate: Gate, outside: Outside
    ) -> None:
        """A process that was only slow settles its call, which was uncertain meanwhile."""
        slow = worker_at("in the effect", outside.send)
        slow.pause()
        start_worker()
        wait_held("uncertain")
        gate.open()
        slow.resume()
        wait_settled()
        assert outside.lines == ["a"]


class TestToldToStop:
    """SIGTERM while a task runs."""

    @either
    def test_in_the_effect(self, worker_at: WorkerAt, gate: Gate, task: str) -> None:
        """The drain that runs finishes, and the worker ends."""
        self.stop(worker_at("in the effect", lambda: commit(task)), gate)
        assert not OutboxCall.objects.exists()
        assert written() == NAMES

    def test_in_an_outside_effect(self, worker_at: WorkerAt, gate: Gate, outside: Outside) -> None:
        """So does a call outside any transaction: it is marked, not uncertain."""
        self.stop(worker_at("in the effect", outside.send), gate)
        assert not OutboxCall.objects.exists()
        assert outside.lines == ["a"]

    def stop(self, worker: ProjectWorker, gate: Gate) -> None:
        """Tell it to stop, let the task go on once it knows, and wait for the worker's end."""
        worker.terminate()
        worker.wait_for_log("Warm shutdown")
        assert worker.running
        gate.open()
        assert worker.wait(TIMEOUT) == 0


class TestFork:
    """The pool's processes, forked beside the thread that sweeps."""

    def test_not_in_a_sweep(self, start_worker: StartWorker, gate: Gate) -> None:
        """A process that would copy what the sweep holds is forked after the sweep only."""
        worker = start_worker(point="sweeping")
        gate.wait_reached()
        tasks.write_one.delay_on_commit(name="a")
        wait_until(lambda: written() == ["a"], TIMEOUT, left)
        worker.kill_children()
        worker.wait_for_log("exited with 'signal 9", timeout=TIMEOUT)
        with pytest.raises(TimeoutError, match="a new process"):
            wait_until(lambda: worker.children(), 2, "a new process")
        gate.open()
        wait_until(lambda: worker.children(), TIMEOUT, "the new process")
        tasks.write_one.delay_on_commit(name="b")
        wait_settled()
        assert written() == ["a", "b"]


@pytest.mark.only_on("postgres", "mysql", reason="its file stays locked by a frozen writer")
class TestFrozen:
    """A worker whose host freezes, with its connections open, amid an effect in the database."""

    LIMIT = {"OUTBOX_IDLE_LIMIT": "2"}

    @pytest.fixture
    def frozen(self, start_worker: StartWorker, gate: Gate) -> Callable[[str], ProjectWorker]:
        """Freeze a worker that has claimed, locked and half done its batch."""

        def freeze(task: str) -> ProjectWorker:
            worker = start_worker(point="in the effect", env=self.LIMIT)
            commit(task)
            gate.wait_reached()
            worker.pause()
            return worker

        return freeze

    @either
    def test_others_go_on(
        self,
        frozen: Callable[[str], ProjectWorker],
        start_worker: StartWorker,
        gate: Gate,
        task: str,
    ) -> None:
        """Another has its calls once its transaction may be idle no longer; none is had twice."""
        worker = frozen(task)
        start_worker(env=self.LIMIT)
        wait_until(lambda: written() == NAMES, TIMEOUT, left)
        gate.open()
        worker.resume()
        wait_settled()
        commit(task, ["d"])
        wait_settled()
        assert written() == [*NAMES, "d"]

    @either
    def test_nobody_else(
        self, frozen: Callable[[str], ProjectWorker], gate: Gate, task: str
    ) -> None:
        """Without another, it has its calls itself when it goes on, and each effect once."""
        worker = frozen(task)
        wait_until(are_free, TIMEOUT, "its transaction to be ended")
        gate.open()
        worker.resume()
        wait_settled()
        assert written() == NAMES


def are_free() -> bool:
    """Return whether nobody has locked a call: whose transaction is ended has none any more.

    MariaDB's list of transactions is no help: read more often than each 0.1 s it stays as it was.
    """
    with transaction.atomic():
        free = OutboxCall.objects.select_for_update(skip_locked=True).values_list("pk", flat=True)
        return len(free) == OutboxCall.objects.count()


@pytest.mark.only_on("postgres", "mysql", reason="SQLite locks no rows, and has one writer")
class TestLocked:
    """Rows that others have locked, as a drain that takes a dead process's calls has them."""

    def test_sweep_goes_on(self, worker_at: WorkerAt, gate: Gate) -> None:
        """Heartbeats, wake-ups and forks don't wait for them; the crash is counted afterwards."""
        worker = worker_at("in the effect", lambda: commit("batch"))
        worker.pause()
        worker.kill_children()
        with another() as other, other.cursor() as cursor:
            cursor.execute("SELECT id FROM aftercommit_outboxcall FOR UPDATE")
            assert len(cursor.fetchall()) == len(NAMES)
            gate.open()
            worker.resume()
            wait_until(is_journal_old, TIMEOUT, "the sweep to take the journal for a dead one's")
            OutboxWorker.objects.update(seen_at=Now() - timedelta(hours=1))
            # No wake-up is sent for what is due later: a sweep finds it.
            tasks.write_one.apply_async_on_commit(kwargs={"name": "d"}, countdown=0.01)
            wait_until(lambda: written() == ["d"], TIMEOUT, lambda: left() + worker.logs())
            name = worker.hostname()
            wait_until(lambda: worker_ages("default")[name] < 60, TIMEOUT, "a heartbeat")
            assert journals()
        wait_settled()
        assert written() == [*NAMES, "d"]


def is_journal_old() -> bool:
    """Return whether a batch's journal is older than the grace, and sweeps have seen it."""
    return OutboxBatch.objects.filter(started_at__lt=Now() - timedelta(seconds=3)).exists()
