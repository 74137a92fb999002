"""``get_result()``: from the outbox while a task waits or runs, then from the table."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models.functions import Now
from django.test import TestCase

from aftercommit.contrib.tasks import retention
from aftercommit.contrib.tasks.api import (
    TaskResultDoesNotExist,
    TaskResultMismatch,
    TaskResultStatus,
    task_finished,
)
from aftercommit.contrib.tasks.records import records
from aftercommit.contrib.tasks.retention import delete_old_results, delete_results
from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.drain import drain_all
from aftercommit.worker.lease import Lease
from aftercommit.worker.lost_calls import end_lost_calls
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.defined import fail
from tests.unit.aftercommit.observe import statements

pytestmark = pytest.mark.django_db(transaction=True)

Status = TaskResultStatus
MAKE_GROUP = f"{defined.__name__}.make_group"


class TestStatus:
    """What a result says, from its call's first state to its last."""

    def test_uncommitted(self) -> None:
        """A task of the transaction that is open is ready for who has enqueued it."""
        with transaction.atomic():
            result = defined.make_group.enqueue("a")
            assert defined.make_group.get_result(result.id) == result
            transaction.set_rollback(True)
        with pytest.raises(TaskResultDoesNotExist):
            result.refresh()

    @pytest.mark.every_database
    def test_ready(self) -> None:
        """A task that is stored has the result that ``enqueue()`` has returned."""
        result = defined.make_group.using(queue_name="slow").enqueue("a")
        assert defined.make_group.get_result(result.id) == result

    @pytest.mark.every_database
    def test_running(self) -> None:
        """A task that a worker has claimed is running there."""
        result = defined.make_group.enqueue("a")
        assert claim_batch("default", MAKE_GROUP, 10) is not None
        result.refresh()
        assert (result.status, result.attempts) == (Status.RUNNING, 1)
        assert result.started_at == result.last_attempted_at
        assert ":" in result.worker_ids[0]

    @pytest.mark.every_database
    def test_running_outside(self) -> None:
        """A task that runs under a lease is running."""
        result = defined.make_group.using(backend="outside").enqueue("a")
        Lease("default", OutboxCall.objects.get().task, 60).take()
        result.refresh()
        assert (result.status, result.attempts) == (Status.RUNNING, 1)

    @pytest.mark.every_database
    def test_successful(self) -> None:
        """A task that has ended has its value, its times and its worker."""
        result = defined.make_group.using(backend="twice").enqueue("a")
        drain_all()
        result.refresh()
        assert result.status == Status.SUCCESSFUL
        assert result.enqueued_at <= result.started_at <= result.finished_at
        assert result.started_at == result.last_attempted_at
        assert (result.attempts, result.errors) == (1, [])
        assert result.is_finished

    @pytest.mark.every_database
    def test_tried_again(self) -> None:
        """A task that waits for its next attempt is ready, and has the error of its last one."""
        defined.acts.append(fail())
        result = defined.make_group.using(backend="twice").enqueue("a")
        drain_all()
        result.refresh()
        assert (result.status, result.attempts) == (Status.READY, 1)
        assert result.errors[0].exception_class is ValueError
        assert "ValueError: no" in result.errors[0].traceback
        assert result.finished_at is None
        assert result.last_attempted_at is not None

    @pytest.mark.every_database
    def test_failed(self) -> None:
        """A task that has failed for good has the errors of all its attempts."""
        defined.acts.extend([fail(KeyError("first")), fail(ValueError("\x00 second \ud800"))])
        result = defined.look_at_context.using(backend="twice").enqueue()
        drain_all()
        first = defined.received[0][1]
        OutboxCall.objects.update(available_at=Now())
        drain_all()
        result.refresh()
        assert result.status == Status.FAILED
        assert [each.exception_class for each in result.errors] == [KeyError, ValueError]
        assert result.attempts == 2
        assert first.started_at == result.started_at < result.last_attempted_at
        with pytest.raises(ValueError, match="Task failed"):
            _ = result.return_value

    def test_uncertain(self) -> None:
        """A task whose process was lost has failed: nobody knows how it ended."""
        result = defined.make_group.using(backend="outside").enqueue("a")
        OutboxCall.objects.update(status="uncertain", error="lost")
        result.refresh()
        assert result.status == Status.FAILED
        assert result.errors[0].exception_class.__name__ == "WorkerLostError"

    def test_process_died(self) -> None:
        """A task that has taken down its processes has failed, and receivers are told."""
        seen: list[Any] = []

        def receive(task_result: Any, **kwargs: Any) -> None:
            seen.append(task_result.status)

        result = defined.make_group.enqueue("a")
        rows = OutboxCall.objects.all()
        task_finished.connect(receive)
        try:
            with transaction.atomic():
                end_lost_calls(rows, lambda some: some.update(status="dead"), "killed")
        finally:
            task_finished.disconnect(receive)
        result.refresh()
        assert (result.status, result.started_at, seen) == (Status.FAILED, None, [Status.FAILED])
        assert result.errors[0].exception_class.__name__ == "WorkerLostError"
        assert "killed" in result.errors[0].traceback

    def test_dead_without_a_word(self) -> None:
        """A dead letter of a worker that did not have the task has failed, too."""
        result = defined.make_group.enqueue("a")
        OutboxCall.objects.update(status="dead", error="No worker has had a task")
        result.refresh()
        assert result.status == Status.FAILED
        assert "No worker" in result.errors[0].traceback

    def test_taken_from_the_outbox(self) -> None:
        """A task that was to be tried again, and whose call somebody has deleted, has failed."""
        defined.acts.append(fail())
        result = defined.make_group.using(backend="twice").enqueue("a")
        drain_all()
        OutboxCall.objects.all().delete()
        result.refresh()
        assert result.status == Status.FAILED

    def test_one_statement(self) -> None:
        """The results of a batch are written with one statement, and the request pays nothing."""
        with statements() as seen, transaction.atomic():
            for name in "abc":
                defined.make_group.enqueue(name)
        assert not [each for each in seen if "taskrecord" in each]
        with statements() as seen:
            drain_all()
        assert records("default").filter(status=Status.SUCCESSFUL).count() == 3
        assert seen.count("INSERT aftercommit_tasks_taskrecord") == 1
        with statements() as seen:
            defined.make_group.using(backend="forgetful").enqueue("b")
            drain_all()
        assert not [each for each in seen if "taskrecord" in each]

    def test_coroutine(self) -> None:
        """A coroutine awaits ``aget_result()`` and ``arefresh()``."""
        result = defined.make_group.enqueue("a")
        drain_all()
        async_to_sync(result.arefresh)()
        assert result.return_value == "a"
        assert async_to_sync(defined.make_group.aget_result)(result.id) == result


class TestNoResult:
    """What there is no result of."""

    @pytest.mark.parametrize("pk", ["1", "abc", "", "-1", "9" * 19, "9" * 5000, "²", "1\x00", 17])
    def test_unknown(self, pk: Any) -> None:
        """An id that no task has."""
        with pytest.raises(TaskResultDoesNotExist):
            defined.make_group.get_result(pk)

    def test_celery_call(self) -> None:
        """The id of a call that is none of a task of Django's."""
        call = call_on_commit(effects.make_group, ["a"])
        with pytest.raises(TaskResultDoesNotExist, match="not a Task"):
            defined.make_group.get_result(call.id)

    @pytest.mark.parametrize("drained", [False, True])
    def test_other_task(self, drained: bool) -> None:
        """The id of another task."""
        result = defined.make_group_async.enqueue("a")
        if drained:
            drain_all()
        with pytest.raises(TaskResultMismatch, match="Task does not match"):
            defined.make_group.get_result(result.id)

    @pytest.mark.parametrize("drained", [False, True])
    def test_other_backend(self, drained: bool) -> None:
        """The id of a task of another backend."""
        result = defined.make_group.using(backend="outside").enqueue("a")
        if drained:
            drain_all()
        with pytest.raises(TaskResultMismatch, match="of backend 'outside', not 'default'"):
            defined.make_group.get_result(result.id)

    def test_unreadable(self) -> None:
        """A call whose arguments can't be read."""
        result = defined.make_group.enqueue("a")
        OutboxCall.objects.update(payload="{")
        with pytest.raises(TaskResultDoesNotExist, match="can't be read"):
            result.refresh()

    def test_not_kept(self) -> None:
        """A backend that keeps no results says so."""
        result = defined.make_group.using(backend="forgetful").enqueue("a")
        with pytest.raises(NotImplementedError, match="does not support retrieving"):
            result.refresh()


class TestRetention:
    """Old results are deleted."""

    @pytest.fixture(autouse=True)
    def _not_looked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "_looked_at", {})

    def _store(self, backend: str, age: timedelta) -> str:
        result = defined.make_group.using(backend=backend).enqueue(f"{backend} {age}")
        drain_all()
        records("default").filter(pk=result.id).update(stored_at=Now() - age)
        return str(result.id)

    @pytest.mark.every_database
    def test_old(self) -> None:
        """Those go whose retention is over, by the database's clock."""
        self._store("default", timedelta(days=8))
        kept = self._store("default", timedelta(days=6))
        delete_old_results("default")
        assert list(records("default").values_list("pk", flat=True)) == [kept]

    def test_each_backend(self) -> None:
        """Each backend has its own retention; None is for ever."""
        self._store("default", timedelta(days=2))
        self._store("once", timedelta(days=2))
        assert delete_results("default", "default", 3600) == 1
        assert delete_results("default", "once", None) == 0
        assert records("default").count() == 1

    def test_now_and_then(self) -> None:
        """A worker looks once a minute, though it sweeps every two seconds."""
        delete_old_results("default")
        self._store("default", timedelta(days=8))
        with statements() as seen:
            delete_old_results("default")
        assert seen == []

    def test_worker(self) -> None:
        """Every worker does it."""
        from aftercommit.worker.sweeper import _more_steps

        assert _more_steps.count(delete_old_results) == 1


class TestInTestCase(TestCase):
    """In Django's TestCase, whose transaction never commits."""

    def test_ready(self) -> None:
        """A task that is enqueued is ready."""
        result = defined.make_group.enqueue("a")
        result.refresh()
        assert result.status == Status.READY

    def test_callbacks_executed(self) -> None:
        """A test can have it stored, and drained."""
        with self.captureOnCommitCallbacks(execute=True):
            result = defined.make_group.enqueue("a")
        with self.captureOnCommitCallbacks(execute=True):
            drain_all()
        result.refresh()
        assert result.return_value == "a"
