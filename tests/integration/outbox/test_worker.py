"""A commit, a broker, a worker: what arrives, whatever happens on the way."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from celery import current_app
from celery.result import AsyncResult
from django.contrib.auth.models import Group
from django.db import transaction
from django_celery_results.models import TaskResult

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.wake import flush_wake_ups
from aftercommit.outbox.wake_message import DRAIN
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.integration.outbox import tasks
from tests.integration.outbox.conftest import Gate, StartWorker

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 30


def names() -> list[str]:
    """The effects that were committed."""
    return sorted(Group.objects.values_list("name", flat=True))


def wait_empty() -> None:
    """Wait until the outbox is empty."""
    wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, outbox)


def outbox() -> str:
    """What is in the outbox, for a message."""
    rows = OutboxCall.objects.values_list("task", "status", "attempts", "crashes", "error")
    return f"an empty outbox; it has {list(rows)}"


class TestEffects:
    """The ordinary way."""

    def test_commit(self, start_worker: StartWorker) -> None:
        """Each call of a committed transaction has its effect, once."""
        start_worker(concurrency=2)
        with transaction.atomic():
            for number in range(50):
                tasks.make_group.delay_on_commit(name=f"single {number}")
                tasks.make_groups.delay_on_commit(name=f"batch {number}")
        wait_empty()
        assert len(names()) == 100

    def test_rollback(self, start_worker: StartWorker) -> None:
        """A transaction that rolls back has none; the one after it has."""
        start_worker()
        with transaction.atomic():
            tasks.make_group.delay_on_commit(name="rolled back")
            transaction.set_rollback(True)
        tasks.make_group.delay_on_commit(name="committed")
        wait_until(names, TIMEOUT, "an effect")
        wait_empty()
        assert names() == ["committed"]

    def test_result(self, start_worker: StartWorker) -> None:
        """What a call returns is the result with the call's id; a drain has none."""
        start_worker()
        call = tasks.count_names.delay_on_commit("ann")
        assert AsyncResult(call.id).get(timeout=TIMEOUT) == {"ann": 1}
        result = TaskResult.objects.get()
        assert result.task_id == call.id
        assert result.task_name == tasks.count_names.name
        assert result.worker

    def test_delay_is_celerys_own(self, start_worker: StartWorker) -> None:
        """``delay`` sends the arguments and runs the function, without a row."""
        start_worker()
        tasks.make_group.delay(name="direct")
        assert not OutboxCall.objects.exists()
        wait_until(lambda: names() == ["direct"], TIMEOUT, "the effect")

    def test_retry_falls_due(self, start_worker: StartWorker) -> None:
        """A call for later is woken by the sweep when its time has come."""
        start_worker()
        tasks.make_group.apply_async_on_commit(kwargs={"name": "later"}, countdown=1)
        assert names() == []
        wait_empty()
        assert names() == ["later"]


class TestDuplicates:
    """More wake-ups than calls."""

    def test_wake_ups_without_calls(self, start_worker: StartWorker) -> None:
        """A wake-up that finds nothing does nothing; ten for one call have one effect."""
        worker = start_worker(concurrency=2)
        tasks.make_group.delay_on_commit(name="a")
        for _ in range(10):
            current_app.send_task(DRAIN, [tasks.make_group.name, "default"])
        # These, the one that the commit sent, and what a sweep adds: none failed.
        ended = re.compile(rf"{DRAIN}\[[\w-]+\] succeeded")
        wait_until(lambda: len(ended.findall(worker.logs())) >= 11, TIMEOUT, "all")
        assert "raised" not in worker.logs()
        wait_empty()
        assert names() == ["a"]


class TestBroker:
    """A broker that fails."""

    def test_stopped(self, start_worker: StartWorker, broker: Broker) -> None:
        """A commit doesn't fail without a broker, and its calls arrive once it is back."""
        start_worker()
        broker.stop()
        tasks.make_group.delay_on_commit(name="a")
        flush_wake_ups(10)
        assert OutboxCall.objects.count() == 1
        broker.start()
        wait_empty()
        assert names() == ["a"]

    def test_black_hole(self, start_worker: StartWorker, broker: Broker) -> None:
        """A commit doesn't wait for a broker that never answers."""
        start_worker()
        with broker.pause():
            for name in "abc":
                tasks.make_group.delay_on_commit(name=name)
            assert OutboxCall.objects.count() == 3
            assert not flush_wake_ups(0.01)  # the thread still waits, and this one is here
        wait_empty()
        assert names() == ["a", "b", "c"]

    def test_restarted_empty(self, start_worker: StartWorker, broker: Broker) -> None:
        """What a broker forgets is found by the sweep."""
        with transaction.atomic():
            tasks.make_group.delay_on_commit(name="a")
        assert flush_wake_ups(10)
        broker.flush()
        start_worker()
        wait_empty()
        assert names() == ["a"]

    def test_lost_while_a_message_waits(
        self, start_worker: StartWorker, broker: Broker, gate: Gate, tmp_path: Path
    ) -> None:
        """A worker outlives a broker that dies while it holds messages it hasn't acknowledged."""
        worker = start_worker()
        with transaction.atomic():
            tasks.make_group.delay_on_commit(name="running", gate=gate.path)
            tasks.send_outside.delay_on_commit(path=str(tmp_path / "sent"))
        gate.wait_reached()
        with broker.client() as client:
            wait_until(lambda: client.exists("unacked"), TIMEOUT, "the message that waits")
        broker.kill()
        worker.wait_for_log("Cannot connect to redis://", timeout=TIMEOUT)
        broker.start()
        gate.open()
        wait_empty()
        assert worker.running, worker.logs()
        assert (tmp_path / "sent").read_text() == "sent\n"


class TestWorkerDies:
    """A worker that is killed, or told to stop."""

    def test_killed_in_a_batch(self, start_worker: StartWorker, gate: Gate) -> None:
        """Its effects are rolled back, and another worker has each of them once."""
        worker = start_worker()
        with transaction.atomic():
            for number in range(20):
                tasks.make_groups.delay_on_commit(name=str(number), gate=gate.path)
        gate.wait_reached()
        worker.kill()
        assert names() == []
        gate.open()
        start_worker()
        wait_empty()
        assert names() == sorted(str(number) for number in range(20))

    def test_pool_process_killed(self, start_worker: StartWorker, gate: Gate) -> None:
        """The same worker goes on after one of its processes was killed."""
        worker = start_worker()
        tasks.make_group.delay_on_commit(name="a", gate=gate.path)
        gate.wait_reached()
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
        gate.open()
        wait_empty()
        assert names() == ["a"]

    def test_told_to_stop(self, start_worker: StartWorker, gate: Gate) -> None:
        """A warm shutdown finishes what runs."""
        worker = start_worker()
        tasks.make_group.delay_on_commit(name="a", gate=gate.path)
        gate.wait_reached()
        worker.terminate()
        worker.wait_for_log("Warm shutdown")
        assert worker.running
        gate.open()
        assert worker.wait(TIMEOUT) == 0
        assert names() == ["a"]
        assert not OutboxCall.objects.exists()

    def test_killer(self, start_worker: StartWorker) -> None:
        """A call that kills its process ends as a dead letter; those beside it settle once."""
        worker = start_worker()
        with transaction.atomic():
            for name in ("a", "killer", "b"):
                tasks.make_groups_or_die.delay_on_commit(name=name)
        dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
        wait_until(dead.exists, 120, lambda: outbox() + worker.logs())
        assert "Its process died 3 times" in dead.get().error
        wait_until(
            lambda: OutboxCall.objects.count() == 1, TIMEOUT, lambda: outbox() + worker.logs()
        )
        assert names() == ["a", "b"]
        wait_until(lambda: not OutboxBatch.objects.exists(), TIMEOUT, "no journal left")

    def test_killed_outside(self, start_worker: StartWorker, gate: Gate, tmp_path: Path) -> None:
        """An outside effect in a process that died is uncertain, and not had again."""
        worker = start_worker()
        path = tmp_path / "sent"
        tasks.send_outside.delay_on_commit(path=str(path), gate=gate.path)
        gate.wait_reached()
        worker.kill()
        gate.open()
        start_worker()
        uncertain = OutboxCall.objects.filter(status=OutboxCall.Status.UNCERTAIN)
        wait_until(uncertain.exists, TIMEOUT, outbox)
        assert path.read_text() == "sent\n"


class TestDeadLetters:
    """Calls that the code can't run."""

    def test_wrong_signature(self, start_worker: StartWorker) -> None:
        """Arguments that no worker's function takes are a dead letter with the reason."""
        tasks.make_group.delay_on_commit(name="a")
        OutboxCall.objects.update(payload='[[], {"title": "a"}]')
        start_worker(env={"OUTBOX_UNKNOWN_TASK_GRACE": "0.1"})
        dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
        wait_until(dead.exists, TIMEOUT, outbox)
        assert "unexpected keyword argument 'title'" in dead.get().error

    def test_unknown_task(self, start_worker: StartWorker) -> None:
        """So is a task that no worker has had for the time of grace."""
        tasks.make_group.delay_on_commit(name="a")
        OutboxCall.objects.update(task="tests.gone")
        start_worker(env={"OUTBOX_UNKNOWN_TASK_GRACE": "0.1"})
        dead = OutboxCall.objects.filter(status=OutboxCall.Status.DEAD)
        wait_until(dead.exists, TIMEOUT, outbox)
        assert "No worker has had a task named 'tests.gone'" in dead.get().error


class TestWebProcessDies:
    """A process that commits and is gone."""

    def test_between_commit_and_wake_up(
        self, start_worker: StartWorker, process_environment: dict[str, str]
    ) -> None:
        """The sweep finds the rows of a process that was killed before it sent a wake-up."""
        start_worker()
        dying = [sys.executable, "-m", "tests.integration.outbox.dying_process"]
        ended = subprocess.run(dying, env=process_environment, timeout=TIMEOUT, check=False)
        assert ended.returncode == -signal.SIGKILL
        wait_until(names, TIMEOUT, "the effect")
        wait_empty()
        assert names() == ["a"]
