"""``enqueue()``: a call that commits with its transaction, or is refused with a sentence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from celery import current_app
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from aftercommit.contrib.tasks.api import InvalidTask, TaskResultStatus, task_enqueued
from aftercommit.contrib.tasks.backend import OutboxBackend
from aftercommit.models import OutboxCall
from aftercommit.outbox.wake_message import destination
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND
from tests.unit.aftercommit.observe import statements

MAKE_GROUP = f"{defined.__name__}.make_group"


def stored() -> list[str]:
    """Return the names of the calls in the outbox."""
    return list(OutboxCall.objects.order_by("pk").values_list("task", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.every_database
class TestTransaction:
    """With real transactions."""

    def test_commit(self) -> None:
        """All tasks of a transaction are stored with one INSERT, just before COMMIT."""
        with statements() as seen, transaction.atomic():
            result = defined.make_group.enqueue("a")
            defined.make_group.using(queue_name="slow").enqueue("b")
            defined.make_group_async.enqueue(name="c")
            assert not OutboxCall.objects.exists()
        inserts = [each for each in seen if each.startswith("INSERT")]
        assert inserts == ["INSERT aftercommit_outboxcall"]
        assert stored()[0] == MAKE_GROUP
        assert len(stored()) == 3
        assert result.status == TaskResultStatus.READY

    def test_rollback(self) -> None:
        """A transaction that rolls back drops its tasks."""
        with transaction.atomic():
            defined.make_group.enqueue("a")
            transaction.set_rollback(True)
        assert stored() == []

    def test_savepoint(self) -> None:
        """A savepoint that rolls back drops its tasks, and leaves the others."""
        with transaction.atomic():
            defined.make_group_async.enqueue("kept")
            with transaction.atomic():
                defined.make_group.enqueue("dropped")
                transaction.set_rollback(True)
        assert stored() == [f"{defined.__name__}.make_group_async"]

    def test_autocommit(self) -> None:
        """Outside a transaction a task is stored at once."""
        defined.make_group.enqueue("a")
        assert stored() == [MAKE_GROUP]

    def test_coroutine(self) -> None:
        """A coroutine awaits ``aenqueue()``."""
        result = async_to_sync(defined.make_group.aenqueue)("a")
        assert stored() == [MAKE_GROUP]
        assert result.args == ["a"]

    def test_run_after(self) -> None:
        """A task is due at its time, by the database's clock."""
        later = timezone.now() + timedelta(hours=1)
        defined.make_group.using(run_after=later).enqueue("later")
        defined.make_group.using(run_after=timezone.now() - timedelta(hours=1)).enqueue("now")
        drain_all()
        assert defined.received == ["now"]
        (row,) = OutboxCall.objects.all()
        assert abs(row.available_at - later) < timedelta(milliseconds=1)
        assert defined.make_group.get_result(str(row.pk)).task.run_after == later


@pytest.mark.django_db
class TestOptions:
    """What a task can say about itself."""

    def test_supports(self) -> None:
        """The backend says what it can do."""
        backend = defined.make_group.get_backend()
        assert isinstance(backend, OutboxBackend)
        assert backend.supports_defer
        assert backend.supports_async_task
        assert backend.supports_get_result
        assert not backend.supports_priority
        assert not defined.make_group.using(backend="forgetful").get_backend().supports_get_result

    def test_priority(self) -> None:
        """A priority is refused."""
        with pytest.raises(InvalidTask, match="does not support setting priority"):
            defined.make_group.using(priority=1)

    def test_queue(self) -> None:
        """The wake-up of a task goes to its queue, that of a task without one where all go."""
        with transaction.atomic():
            defined.make_group.enqueue("a")
            defined.make_group.using(queue_name="slow").enqueue("b")
        assert destination(f"{MAKE_GROUP}?queue_name=slow")["queue"].name == "slow"
        assert destination(MAKE_GROUP)["queue"].name == current_app.conf.task_default_queue

    def test_unknown_queue(self) -> None:
        """A queue that QUEUES doesn't have is refused."""
        with pytest.raises(InvalidTask, match="Queue 'fast' is not valid"):
            defined.make_group.using(queue_name="fast")

    def test_naive_time(self) -> None:
        """A time without a time zone is refused."""
        with pytest.raises(InvalidTask, match="aware datetime"):
            defined.make_group.using(run_after=datetime.now())

    @override_settings(USE_TZ=False)
    def test_naive_time_without_time_zones(self) -> None:
        """Where the project has no time zones, a time is in that of the settings."""
        later = datetime(2999, 1, 1)
        with pytest.raises(InvalidTask, match="not within 36525 days"):
            defined.make_group.using(run_after=later)
        assert defined.make_group.using(run_after=timezone.now()).enqueue("a").id

    def test_far_time(self) -> None:
        """A time that no database could hold is refused before the commit."""
        with pytest.raises(InvalidTask, match="not within 36525 days"):
            defined.make_group.using(run_after=datetime(9999, 1, 1, tzinfo=UTC))


@pytest.mark.django_db(transaction=True)
class TestRefused:
    """What a worker could not run is refused, with a sentence, and nothing is stored."""

    @pytest.mark.parametrize(
        ("args", "kwargs", "message"),
        [
            ((datetime(2000, 1, 1, tzinfo=UTC),), {}, "Unsupported type"),
            ((), {}, "missing 1 required positional argument: 'name'"),
            (("a", "b"), {}, "takes 1 positional argument"),
            (("a",), {"other": 1}, "unexpected keyword argument 'other'"),
            (({"__type__": "x"},), {}, "__type__"),
        ],
    )
    def test_arguments(self, args: Any, kwargs: Any, message: str) -> None:
        """Arguments that can't be stored, or that the function doesn't take."""
        with pytest.raises(TypeError, match=message):
            defined.make_group.enqueue(*args, **kwargs)
        assert stored() == []

    def test_context_is_no_argument(self) -> None:
        """The context is given by the worker."""
        defined.look_at_context.enqueue()
        with pytest.raises(TypeError, match="context"):
            defined.look_at_context.enqueue(context=1)

    def test_hidden(self) -> None:
        """A task that a worker can't import by its function's name."""
        with pytest.raises(InvalidTask, match=r"\.plain is function, not a Task: .* Decorate"):
            defined.hidden.enqueue()

    def test_generator(self) -> None:
        """A function whose call runs nothing."""
        with pytest.raises(InvalidTask, match=r"generator function: .* Write a plain function"):
            defined.task(defined.generate)

    def test_other_package(self) -> None:
        """A task that is none of the tasks that this project has."""
        with pytest.raises(InvalidTask, match="Import its decorator"):
            defined.make_group.get_backend().validate_task(defined.plain)

    def test_celery_task_of_the_name(self) -> None:
        """A name that a Celery task has already."""
        taken = current_app.task(name=MAKE_GROUP)(defined.plain)
        assert current_app.tasks[MAKE_GROUP].name == taken.name
        with pytest.raises(InvalidTask, match="a Celery task too"):
            defined.make_group.enqueue("a")

    def test_long_name(self) -> None:
        """A name that the outbox has no room for."""
        queue = "q" * 250
        with override_settings(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": [queue]}}):
            long = defined.make_group.using(queue_name=queue)
            with pytest.raises(InvalidTask, match="can have 255 characters, not"):
                long.enqueue("a")
        assert stored() == []


@pytest.mark.django_db(transaction=True)
class TestSignal:
    """``task_enqueued``."""

    def test_sent(self) -> None:
        """It is sent in the transaction, with the result and by the backend's class."""
        seen: list[Any] = []

        def receive(sender: Any, task_result: Any, **kwargs: Any) -> None:
            seen.append((sender, task_result.id, OutboxCall.objects.exists()))

        task_enqueued.connect(receive)
        try:
            with transaction.atomic():
                result = defined.make_group.enqueue("a")
        finally:
            task_enqueued.disconnect(receive)
        assert seen == [(OutboxBackend, result.id, False)]

    def test_receiver_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        """A receiver that raises is logged. The request goes on, and the task is stored."""

        def receive(**kwargs: Any) -> None:
            raise ValueError("receiver")

        task_enqueued.connect(receive)
        try:
            defined.make_group.enqueue("a")
        finally:
            task_enqueued.disconnect(receive)
        assert stored() == [MAKE_GROUP]
        assert "receiver" in caplog.text
