"""A call is a task: what its function sees of it, and who is told of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from celery import Task, current_app, current_task, shared_task, signals
from celery.exceptions import Ignore
from celery.result import AsyncResult
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django_celery_results.models import TaskResult

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

told: list[Any] = []
"""What hooks and receivers were told."""


@pytest.fixture(autouse=True)
def _nobody_was_told() -> None:
    told.clear()


@shared_task(bind=True, max_retries=1, retry_backoff=False, default_retry_delay=0)
def look(self: Any, *args: Any, **kwargs: Any) -> str:
    """Keep what it sees of its request."""
    request = self.request
    assert current_task.request.id == request.id
    told.append(
        {
            "id": request.id,
            "args": list(request.args),
            "kwargs": dict(request.kwargs),
            "retries": request.retries,
            "directly": request.called_directly,
            "eager": request.is_eager,
            "hostname": request.hostname,
            "headers": request.headers,
        }
    )
    if kwargs.get("fails"):
        raise ValueError("no")
    return "seen"


class Hooked(Task):  # type: ignore[misc]  # has no types
    """A base class of a project's own, with Celery's hooks and a wrapper of every call."""

    abstract = True

    def before_start(self, *args: Any) -> None:
        told.append(("before_start", *args))

    def on_success(self, *args: Any) -> None:
        told.append(("on_success", *args))

    def on_failure(self, error: Any, *args: Any) -> None:
        told.append(("on_failure", str(error), *args[:3]))

    def on_retry(self, error: Any, *args: Any) -> None:
        told.append(("on_retry", str(error), *args[:3]))

    def after_return(self, status: str, *args: Any) -> None:
        told.append(("after_return", status))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        told.append(("called", self.request.id))
        return super().__call__(*args, **kwargs)


@shared_task(bind=True, base=Hooked, max_retries=1, default_retry_delay=0, retry_backoff=False)
def hooked(self: Any, name: str) -> str:
    """A row, or an error."""
    Group.objects.create(name=name)
    if name.startswith("bad"):
        raise self.retry(exc=ValueError(f"{name} {self.request.id}"))
    return name


@shared_task(ignore_result=False, max_retries=1, retry_backoff=False, default_retry_delay=0)
def answer(name: str) -> dict[str, str]:
    """A row and a result, or an error."""
    Group.objects.create(name=name)
    if name == "bad":
        raise ValueError("no")
    if name == "ignored":
        raise Ignore
    return {"name": name}


@contextmanager
def receiving(*names: str) -> Iterator[None]:
    """Keep what Celery's signals of these names tell."""
    receivers = {name: _receiver(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    try:
        yield
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)


def _receiver(name: str) -> Any:
    def receive(sender: Any, **kwargs: Any) -> None:
        kwargs = {key: value for key, value in kwargs.items() if key in ("args", "state")}
        told.append((name, sender.name.rpartition(".")[2], sender.request.id, kwargs))

    return receive


class TestRequest:
    """``task.request`` of a call."""

    def test_of_a_call(self) -> None:
        """A call has a request of its own, as a message's task has."""
        call = look.delay_on_commit(1, name="a")
        drain_all()
        (seen,) = told
        assert seen.pop("hostname")
        assert seen == {
            "id": call.id,
            "args": [1],
            "kwargs": {"name": "a"},
            "retries": 0,
            "directly": False,
            "eager": False,
            "headers": {},
        }

    def test_id_is_known_and_stays(self) -> None:
        """The id is known when the call is made, is the row's, and stays over retries."""
        with transaction.atomic():
            call = look.delay_on_commit(fails=True)
            assert not OutboxCall.objects.exists()
        assert OutboxCall.objects.get().pk == call.pk
        assert str(call) == call.id == str(call.pk)
        drain_all()
        assert [seen["id"] for seen in told] == [call.id] * 2
        assert [seen["retries"] for seen in told] == [0, 1]

    def test_headers(self) -> None:
        """Headers that a call was made with are in its request."""
        look.apply_async_on_commit(headers={"tenant": "a"})
        drain_all()
        assert told[0]["headers"] == {"tenant": "a"}

    def test_is_gone_after_the_call(self) -> None:
        """After a call, and after one that failed, the task has no request any more."""
        look.delay_on_commit()
        look.delay_on_commit(fails=True)
        drain_all()
        assert look.request.id is None
        assert not current_task


class TestHooks:
    """Celery's hooks and signals."""

    def test_success(self) -> None:
        """A call that is done tells its hooks, once."""
        call = call_on_commit(hooked, ["a"])
        drain_all()
        assert told == [
            ("before_start", call.id, ["a"], {}),
            ("called", call.id),
            ("on_success", "a", call.id, ["a"], {}),
            ("after_return", "SUCCESS"),
        ]

    def test_failure(self) -> None:
        """A call that fails tells so at each attempt: to be retried, then for good."""
        call = call_on_commit(hooked, ["bad"])
        with transaction.atomic():
            call_on_commit(hooked, ["a"])
        drain_all()
        error = f"bad {call.id}"
        assert [each for each in told if each[0] in ("on_retry", "on_failure")] == [
            ("on_retry", error, call.id, ["bad"], {}),
            ("on_failure", error, call.id, ["bad"], {}),
        ]
        ends = [each[1] for each in told if each[0] == "after_return"]
        assert sorted(ends) == ["FAILURE", "RETRY", "SUCCESS"]
        assert effects.names() == ["a"]

    def test_signals(self) -> None:
        """Celery's signals are sent for each call, with its arguments and its exception."""
        names = ("task_prerun", "task_success", "task_failure", "task_retry", "task_postrun")
        with receiving(*names):
            good, bad = look.delay_on_commit(1), look.delay_on_commit(2, fails=True)
            drain_all()
        sent = [each for each in told if isinstance(each, tuple)]
        assert [each[0] for each in sent if each[2] == good.id] == [
            "task_prerun",
            "task_success",
            "task_postrun",
        ]
        assert [each[0] for each in sent if each[2] == bad.id] == [
            "task_prerun",
            "task_retry",
            "task_postrun",
            "task_prerun",
            "task_failure",
            "task_postrun",
        ]
        states = [each[3]["state"] for each in sent if each[0] == "task_postrun"]
        assert sorted(states) == ["FAILURE", "RETRY", "SUCCESS"]
        assert sent[0][3]["args"] == [1]

    def test_batch(self) -> None:
        """A batch task tells of a run once, with its calls."""
        with receiving("task_prerun", "task_success"), transaction.atomic():
            calls = [effects.make_groups.delay_on_commit(name=name) for name in "ab"]
        with receiving("task_prerun", "task_success"):
            drain_all()
        (begin, end) = told
        assert (begin[0], end[0]) == ("task_prerun", "task_success")
        assert [call.id for call in begin[3]["args"][0]] == [call.id for call in calls]

    def test_hook_that_fails_to_be_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """A hook that raises when it is told of a failure keeps no call from its end."""

        @shared_task(name="tests.hook_fails", max_retries=0)
        def fails() -> None:
            raise ValueError("no")

        task: Any = current_app.tasks["tests.hook_fails"]
        type(task).on_failure = lambda *_: Group.objects.create(name="x").missing
        fails.delay_on_commit()
        assert drain_all().dead == 1
        assert "not everybody was told that it failed" in caplog.text
        assert not Group.objects.exists()

    def test_effects_of_a_hook(self) -> None:
        """What a hook writes commits with the call's end."""

        @shared_task(name="tests.hook_writes", max_retries=0)
        def fails() -> None:
            raise ValueError("no")

        task: Any = current_app.tasks["tests.hook_writes"]
        type(task).on_failure = lambda *_: Group.objects.create(name="told")
        fails.delay_on_commit()
        drain_all()
        assert effects.names() == ["told"]


class TestOutsideHooks:
    """Hooks of a call whose effect no rollback takes back."""

    @pytest.mark.parametrize("name", ["on_success", "after_return"])
    def test_raises_after_the_effect(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        """A hook that raises after the effect is logged; the effect is not had again."""

        @shared_task(name=f"tests.outside_{name}", atomic=False, retry_backoff=False)
        def outside() -> None:
            told.append("sent")

        task: Any = current_app.tasks[f"tests.outside_{name}"]
        setattr(type(task), name, lambda *_: 1 / 0)
        outside.delay_on_commit()
        assert drain_all().settled == 1
        assert told == ["sent"]
        assert "a hook failed after the call" in caplog.text


class TestResult:
    """What a call returned, under its id."""

    def test_kept(self) -> None:
        """A task with ``ignore_result=False`` has its result."""
        call = answer.delay_on_commit("a")
        drain_all()
        assert AsyncResult(call.id).get(timeout=1) == {"name": "a"}
        assert TaskResult.objects.get().task_name == answer.name

    def test_rolls_back_with_the_effect(self) -> None:
        """Neither is there without the other."""
        Group.objects.create(name="a")
        call = answer.delay_on_commit("a")
        drain_all()
        assert AsyncResult(call.id).status == "FAILURE"

    def test_of_a_failure(self) -> None:
        """A dead letter's error is its result."""
        call = answer.delay_on_commit("bad")
        drain_all()
        result: Any = AsyncResult(call.id)
        assert result.status == "FAILURE"
        assert isinstance(result.result, ValueError)
        assert "ValueError: no" in str(result.traceback)

    def test_none(self) -> None:
        """Others have none, nor has a call that says so."""
        effects.make_group.delay_on_commit("a")
        answer.apply_async_on_commit(["b"], ignore_result=True)
        answer.delay_on_commit("ignored")
        drain_all()
        assert effects.names() == ["a", "b", "ignored"]
        assert not TaskResult.objects.exists()

    def test_asked_for_by_the_call(self) -> None:
        """A call may ask for a result that its task doesn't keep."""
        call = look.apply_async_on_commit(ignore_result=False)
        drain_all()
        assert AsyncResult(call.id).get(timeout=1) == "seen"

    def test_outside(self) -> None:
        """A call with outside effects has its result too."""

        @shared_task(name="tests.outside_result", atomic=False, ignore_result=False)
        def outside() -> int:
            return 7

        call = outside.delay_on_commit()
        drain_all()
        assert AsyncResult(call.id).get(timeout=1) == 7

    def test_outside_that_cannot_be_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        """An effect that was had is not had again for a result that JSON can't carry."""
        runs: list[str] = []

        @shared_task(name="tests.outside_object", atomic=False, ignore_result=False)
        def outside() -> object:
            runs.append("run")
            return object()

        call = outside.delay_on_commit()
        assert (drain_all().settled, runs) == (1, ["run"])
        assert not OutboxCall.objects.exists()
        assert f"tests.outside_object[{call.id}]: its result is lost" in caplog.text

    def test_outside_that_ignores_itself(self) -> None:
        """A call that raises Ignore has no result."""

        @shared_task(name="tests.outside_ignored", atomic=False, ignore_result=False)
        def outside() -> None:
            raise Ignore

        outside.delay_on_commit()
        assert drain_all().settled == 1
        assert not TaskResult.objects.exists()


class TestExpires:
    """``expires`` of a task and of a call."""

    @pytest.mark.parametrize(
        "expires", [60, timezone.now() - timedelta(seconds=1)], ids=["seconds", "time"]
    )
    def test_too_late(self, expires: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A call that is too late is not run, is counted, and is logged."""
        call = effects.make_group.apply_async_on_commit(["a"], expires=expires)
        OutboxCall.objects.update(created_at=Now() - timedelta(seconds=61))
        report = drain_all()
        assert (report.settled, report.expired) == (0, 1)
        assert effects.received == []
        assert not OutboxCall.objects.exists()
        assert f"make_group[{call.id}]: not run, since it expired" in caplog.text

    @pytest.mark.parametrize("name", ["make_group", "make_groups", "send_outside"])
    def test_of_the_task(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The task's own holds for all its calls, of any kind."""
        task = getattr(effects, name)
        monkeypatch.setattr(task, "expires", 60)
        with transaction.atomic():
            late, _ = [task.delay_on_commit(name=name) for name in ("late", "good")]
        OutboxCall.objects.filter(pk=late.pk).update(created_at=Now() - timedelta(seconds=61))
        report = drain_all()
        assert (report.settled, report.expired) == (1, 1)
        assert effects.received == ["good"]

    @pytest.mark.parametrize("expires", [True, "soon", 1e12, float("nan"), timedelta(1)])
    def test_fail(self, expires: Any) -> None:
        """What is no time is refused at the call."""
        with pytest.raises(TypeError, match=r"expires=.* is neither a number of seconds"):
            effects.make_group.apply_async_on_commit(["a"], expires=expires)


class TestUnrunnable:
    """Functions that a call would not run."""

    def test_coroutine(self) -> None:
        """A coroutine function is refused at the call."""

        @shared_task(name="tests.coroutine")
        async def coroutine() -> None: ...

        with pytest.raises(TypeError, match="is a coroutine function"):
            coroutine.delay_on_commit()

    def test_generator(self) -> None:
        """So is a generator function."""

        @shared_task(name="tests.generator")
        def generator() -> Any:
            yield

        with pytest.raises(TypeError, match="is a generator function"):
            generator.delay_on_commit()

    def test_returned(self) -> None:
        """A function that returns one has failed: nothing of it was run."""

        @shared_task(name="tests.returns_generator", max_retries=0)
        def returns() -> Any:
            return (each for each in "ab")

        returns.delay_on_commit()
        assert drain_all().dead == 1
        assert "of which nothing has been run" in OutboxCall.objects.get().error


def test_task_of_any_class() -> None:
    """A task with a base class that knows nothing of the outbox is called durably."""

    @shared_task(bind=True, base=Task, name="tests.plain", max_retries=2)
    def plain(self: Any, name: str) -> None:
        told.append((name, self.request.retries))
        if self.request.retries == 0:
            raise self.retry(countdown=0, args=[f"{name} again"])
        Group.objects.create(name=name)

    call = call_on_commit(plain, ["a"])
    report = drain_all()
    assert (report.settled, report.retried) == (1, 1)
    assert told == [("a", 0), ("a again", 1)]
    assert effects.names() == ["a again"]
    assert call.task == "tests.plain"


def test_connection_survives_listeners() -> None:
    """Celery's own receivers, which close connections, don't do so amid a batch."""
    from celery.fixups.django import DjangoWorkerFixup

    fixup = DjangoWorkerFixup(current_app._get_current_object())
    signals.task_prerun.connect(fixup.on_task_prerun)
    signals.task_postrun.connect(fixup.on_task_postrun)
    try:
        with receiving("task_prerun"), transaction.atomic():
            for name in "ab":
                effects.make_group.delay_on_commit(name)
        with receiving("task_prerun"):
            assert drain_all().settled == 2
    finally:
        signals.task_prerun.disconnect(fixup.on_task_prerun)
        signals.task_postrun.disconnect(fixup.on_task_postrun)
    assert effects.names() == ["a", "b"]
    assert not connection.in_atomic_block
