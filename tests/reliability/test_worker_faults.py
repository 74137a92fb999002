"""A worker is killed at each step of a drain, or told to stop: no effect is lost or doubled."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction

from core.models import OutboxCall
from tests.celery_engine.project import WorkerProcess
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWorker
from tests.reliability.state import TIMEOUT, left, wait_held, wait_settled, written
from tests.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ["a", "b", "c"]

TASKS = {"single": tasks.write_one, "batch": tasks.write_batch}

BEFORE_COMMIT = ["woken", "claimed", "in the effect", "effect had", "settled"]

Kill = Callable[[WorkerProcess], None]


def kill_child(worker: WorkerProcess) -> None:
    """End the process that runs the task; the worker starts another."""
    worker.kill_children()


def kill_worker(worker: WorkerProcess) -> None:
    """End all of the worker, and start it again."""
    worker.kill()
    worker.start()


def commit(task: str, names: list[str] = NAMES) -> None:
    """Commit a call for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            TASKS[task].delay_on_commit(name=name)


class TestEffectInDatabase:
    """Had exactly once, wherever its process dies."""

    @pytest.mark.parametrize("point", BEFORE_COMMIT)
    @pytest.mark.parametrize(
        ("task", "kill"), [("single", kill_worker), ("batch", kill_worker), ("batch", kill_child)]
    )
    def test_killed_before_commit(
        self, start_worker: StartWorker, gate: Gate, task: str, point: str, kill: Kill
    ) -> None:
        """What didn't commit is undone with the process; another one has each effect."""
        worker = start_worker(point=point)
        commit(task)
        gate.wait_reached()
        kill(worker)
        assert written() == []
        assert OutboxCall.objects.count() == len(NAMES)
        gate.open()
        wait_settled()
        assert written() == NAMES

    @pytest.mark.parametrize("kill", [kill_worker, kill_child])
    @pytest.mark.parametrize("task", TASKS)
    def test_killed_after_commit(
        self, start_worker: StartWorker, gate: Gate, task: str, kill: Kill
    ) -> None:
        """What committed stays, though the task never returned, and isn't had again."""
        worker = start_worker(point="drained")
        commit(task)
        gate.wait_reached()
        kill(worker)
        assert written() == NAMES
        gate.open()
        commit(task, ["d"])
        wait_settled()
        assert written() == [*NAMES, "d"]


class TestEffectOutside:
    """Had at most once, and held as uncertain where nobody can know."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        """Where the effect is seen."""
        path = tmp_path / "outside"
        path.touch()
        return path

    @pytest.mark.parametrize(
        ("point", "kill", "lines"),
        [
            ("leased", kill_worker, ""),
            ("in the effect", kill_worker, "a\n"),
            ("in the effect", kill_child, "a\n"),
            ("sent", kill_worker, "a\n"),
        ],
    )
    def test_killed_before_marked(
        self,
        start_worker: StartWorker,
        gate: Gate,
        outside: Path,
        point: str,
        kill: Kill,
        lines: str,
    ) -> None:
        """A call that was leased and not marked is uncertain, and isn't run again."""
        worker = start_worker(point=point)
        tasks.send.delay_on_commit(name="a", path=str(outside))
        gate.wait_reached()
        kill(worker)
        gate.open()
        assert "the process that ran it was lost" in wait_held("uncertain").error
        assert outside.read_text() == lines

    def test_killed_before_leased(
        self, start_worker: StartWorker, gate: Gate, outside: Path
    ) -> None:
        """A call that was not leased yet is run by another process."""
        worker = start_worker(point="woken")
        tasks.send.delay_on_commit(name="a", path=str(outside))
        gate.wait_reached()
        kill_worker(worker)
        gate.open()
        wait_settled()
        assert outside.read_text() == "a\n"

    def test_killed_after_marked(
        self, start_worker: StartWorker, gate: Gate, outside: Path
    ) -> None:
        """A call that was marked is settled, though the task never returned."""
        worker = start_worker(point="drained")
        tasks.send.delay_on_commit(name="a", path=str(outside))
        gate.wait_reached()
        kill_worker(worker)
        gate.open()
        tasks.send.delay_on_commit(name="b", path=str(outside))
        wait_settled()
        assert outside.read_text() == "a\nb\n"

    def test_resend(self, start_worker: StartWorker, gate: Gate, outside: Path) -> None:
        """A task that asks for it has its effect again when its process was lost in it."""
        worker = start_worker(point="in the effect")
        tasks.resend.delay_on_commit(name="a", path=str(outside))
        gate.wait_reached()
        kill_worker(worker)
        gate.open()
        wait_settled()
        assert outside.read_text() == "a\na\n"

    def test_frozen_longer_than_the_lease(
        self, start_worker: StartWorker, gate: Gate, outside: Path
    ) -> None:
        """A process that was only slow settles its call, which was uncertain meanwhile."""
        slow = start_worker(point="in the effect")
        tasks.send.delay_on_commit(name="a", path=str(outside))
        gate.wait_reached()
        slow.pause()
        start_worker()
        wait_held("uncertain")
        gate.open()
        slow.resume()
        wait_settled()
        assert outside.read_text() == "a\n"


class TestToldToStop:
    """SIGTERM while a task runs."""

    @pytest.mark.parametrize("task", TASKS)
    def test_in_the_effect(self, start_worker: StartWorker, gate: Gate, task: str) -> None:
        """The drain that runs finishes, and the worker ends."""
        worker = start_worker(point="in the effect")
        commit(task)
        gate.wait_reached()
        self.stop(worker, gate)
        assert not OutboxCall.objects.exists()
        assert written() == NAMES

    def test_in_an_outside_effect(
        self, start_worker: StartWorker, gate: Gate, tmp_path: Path
    ) -> None:
        """So does a call outside any transaction: it is marked, not uncertain."""
        worker = start_worker(point="in the effect")
        tasks.send.delay_on_commit(name="a", path=str(tmp_path / "outside"))
        gate.wait_reached()
        self.stop(worker, gate)
        assert not OutboxCall.objects.exists()
        assert (tmp_path / "outside").read_text() == "a\n"

    def stop(self, worker: WorkerProcess, gate: Gate) -> None:
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
        wait_for(lambda: written() == ["a"], TIMEOUT, left)
        worker.kill_children()
        worker.wait_for_log("exited with 'signal 9", TIMEOUT)
        with pytest.raises(AssertionError, match="a new process"):
            wait_for(lambda: worker.children(), 2, "a new process")
        gate.open()
        wait_for(lambda: worker.children(), TIMEOUT, "the new process")
        tasks.write_one.delay_on_commit(name="b")
        wait_settled()
        assert written() == ["a", "b"]
