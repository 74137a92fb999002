"""Calls that raise, hang or kill their process: each ends where it should, its neighbours too."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import transaction

from aftercommit.models import OutboxCall
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.reliability import poison_tasks as poison
from tests.reliability.conftest import POISON, StartWorker
from tests.reliability.state import TIMEOUT, journals, left, written

pytestmark = pytest.mark.django_db(transaction=True)

DEAD, UNCERTAIN = OutboxCall.Status.DEAD, OutboxCall.Status.UNCERTAIN
HELD = (DEAD, UNCERTAIN)
DIED = "Its process died 3 times"
GRACE = {"OUTBOX_CRASH_GRACE": "0.4"}  # many processes die here, one after the other

either = pytest.mark.parametrize("task", [pytest.param("one", marks=pytest.mark.slow), "batch"])

# The worker records the failure before it kills: on SQLite it waits for the lock of the very
# transaction that hangs, a minute or more.
killed_late_on_sqlite = pytest.mark.only_on(
    "postgres", "mysql", reason="the kill waits for the only writer"
)


@pytest.fixture
def start_worker(start_worker: StartWorker) -> StartWorker:
    """Start a worker that has the poisonous tasks."""

    def start(concurrency: int = 1, **env: str) -> ProjectWorker:
        return start_worker(concurrency, env=GRACE | env, include=[POISON])

    return start


def call_each(task: str, names: Sequence[str], **values: str) -> None:
    """Commit a call of the task for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            getattr(poison, task).delay_on_commit(name=name, **values)


def wait_held(count: int, worker: ProjectWorker, timeout: float = TIMEOUT) -> dict[str, str]:
    """The errors of the calls that wait for a person, by name, once no other is left."""

    def is_at_rest() -> bool:
        calls = OutboxCall.objects
        return calls.count() == calls.filter(status__in=HELD).count() == count and not journals()

    wait_until(is_at_rest, timeout, lambda: left() + worker.logs()[-5000:])
    rows = OutboxCall.objects.values_list("payload", "error")
    return {payload.split('"name": "')[1].split('"')[0]: error for payload, error in rows}


def check_goes_on(worker: ProjectWorker, task: str) -> None:
    """Workers take calls as before: one that comes later is settled."""
    call_each(task, ["later"])
    wait_until(lambda: "later" in written(), TIMEOUT, lambda: left() + worker.logs()[-5000:])
    assert written().count("later") == 1


class TestKillers:
    """Calls that end their process."""

    @either
    def test_several_in_a_batch(self, start_worker: StartWorker, task: str) -> None:
        """Each is a dead letter; those beside and between them settle once."""
        worker = start_worker()
        call_each(task, ["a", "exits", "b", "killed", "c", "sys.exit"])
        held = wait_held(3, worker)
        assert set(held) == {"exits", "killed", "sys.exit"}
        assert all(DIED in error for error in held.values())
        assert set(OutboxCall.objects.values_list("status", flat=True)) == {DEAD}
        assert written() == ["a", "b", "c"]
        check_goes_on(worker, task)

    def test_of_two_tasks(self, start_worker: StartWorker) -> None:
        """Killers of different tasks take no call of the other's with them."""
        worker = start_worker(concurrency=2)
        call_each("one", ["a", "exits", "b"])
        call_each("batch", ["c", "killed", "d"])
        held = wait_held(2, worker)
        assert set(held) == {"exits", "killed"}
        assert written() == ["a", "b", "c", "d"]

    def test_in_a_full_batch(self, start_worker: StartWorker) -> None:
        """One among several full batches, which two processes run, dies alone."""
        worker = start_worker(concurrency=2)
        names = [str(number) for number in range(poison.batch.batch_size * 3)]
        call_each("batch", [*names[:60], "killed", *names[60:]])
        assert set(wait_held(1, worker)) == {"killed"}
        assert written() == sorted(names)

    @killed_late_on_sqlite
    @pytest.mark.parametrize("task", ["limited", "limited_batch"])
    def test_hangs(self, start_worker: StartWorker, task: str) -> None:
        """One that never returns, killed at its time limit each time, is a dead letter."""
        worker = start_worker()
        call_each(task, ["a", "hangs", "b"])
        held = wait_held(1, worker)
        assert DIED in held["hangs"]
        assert written() == ["a", "b"]

    @killed_late_on_sqlite
    def test_hangs_without_a_limit(self, start_worker: StartWorker) -> None:
        """So is one of a task that has no limit of its own: the worker's default ends it."""
        worker = start_worker(TASK_TIME_LIMIT="1")
        call_each("one", ["a", "hangs", "b"])
        held = wait_held(1, worker)
        assert DIED in held["hangs"]
        assert written() == ["a", "b"]


class TestFailures:
    """Calls that their process survives."""

    @either
    @pytest.mark.parametrize(
        ("name", "error"),
        [("raises", "ValueError: poison"), ("memory", "MemoryError")],
    )
    def test_fails(self, start_worker: StartWorker, task: str, name: str, error: str) -> None:
        """A dead letter with its error; those beside it settle once."""
        worker = start_worker()
        call_each(task, ["a", name, "b"])
        held = wait_held(1, worker)
        assert error in held[name]
        assert OutboxCall.objects.get().attempts == 2
        assert written() == ["a", "b"]
        check_goes_on(worker, task)

    def test_in_company(self, start_worker: StartWorker) -> None:
        """Calls that fail in a batch only have their effects, once."""
        worker = start_worker()
        call_each("batch", ["a", "in company", "b"])
        wait_held(0, worker)
        assert written() == ["a", "b", "in company"]

    def test_third_try(self, start_worker: StartWorker) -> None:
        """A call that succeeds at its third try has its effect once."""
        worker = start_worker()
        call_each("third_try", ["a"])
        wait_held(0, worker)
        assert written() == ["a"]

    def test_soft_time_limit(self, start_worker: StartWorker) -> None:
        """One that is told that its time is up has failed; its neighbours settle."""
        worker = start_worker()
        call_each("softly_limited", ["a", "hangs", "b"])
        held = wait_held(1, worker)
        assert "SoftTimeLimitExceeded" in held["hangs"]
        assert written() == ["a", "b"]

    @either
    def test_not_runnable(self, start_worker: StartWorker, task: str) -> None:
        """What can't be read, and what nobody has, are dead letters with the reason."""
        call_each(task, ["a", "not readable", "unknown", "b"])
        calls = OutboxCall.objects
        calls.filter(payload__contains="not readable").update(payload='?"name": "not readable"')
        calls.filter(payload__contains="unknown").update(task="tests.gone")
        worker = start_worker(OUTBOX_UNKNOWN_TASK_GRACE="0.1")
        held = wait_held(2, worker)
        assert "can't be read" in held["not readable"]
        assert "No worker has had a task named 'tests.gone'" in held["unknown"]
        assert written() == ["a", "b"]


class TestOutside:
    """Calls with effects outside the database."""

    @pytest.mark.parametrize(
        ("task", "poison", "status"),
        [
            ("send", "exits", UNCERTAIN),
            ("send", "raises", DEAD),
            ("send", "sys.exit", UNCERTAIN),
            ("resend", "killed", DEAD),
            ("send_limited", "hangs", UNCERTAIN),
        ],
    )
    def test_ends(
        self, start_worker: StartWorker, tmp_path: Path, task: str, poison: str, status: str
    ) -> None:
        """What a killer did is uncertain, or dead when it may run again; others are sent once."""
        worker = start_worker()
        path = tmp_path / "sent"
        call_each(task, ["a", poison, "b"], path=str(path))
        wait_held(1, worker)
        assert OutboxCall.objects.get().status == status
        lines = path.read_text().split()
        assert sorted(set(lines)) == sorted(["a", poison, "b"])
        assert lines.count("a") == lines.count("b") == 1
        assert lines.count(poison) == (1 if status == UNCERTAIN else 2)
