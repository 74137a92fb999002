"""Celery's hooks and signals: who listens to a call is told of it."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Task, current_app, shared_task, signals
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.failures import report_failure
from aftercommit.worker.loading import load_calls
from aftercommit.worker.runner import Runner
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE: Any = {"retry_backoff": False, "default_retry_delay": 0}

KINDS = {
    "single": effects.make_group,
    "batch": effects.make_groups,
    "outside": effects.send_outside,
}

told: list[Any] = []
"""What hooks and receivers were told."""


@pytest.fixture(autouse=True)
def _nobody_was_told() -> None:
    told.clear()


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


@shared_task(max_retries=1, retry_backoff=False, default_retry_delay=0)
def look(number: int, fails: bool = False) -> str:
    """Return what it has seen, or fail."""
    if fails:
        raise ValueError("no")
    return "seen"


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

    @pytest.mark.parametrize("atomic", [True, False])
    def test_error_is_the_one_that_is_handled(self, atomic: bool) -> None:
        """``sys.exc_info()``, by which error trackers ask for the error, has it and its place."""

        @shared_task(name=f"tests.handled_{atomic}", max_retries=1, atomic=atomic, **AT_ONCE)
        def fails() -> None:
            raise ValueError("no")

        def look(sender: Any, **kwargs: Any) -> None:
            error: Any = sys.exc_info()[1]
            place = traceback.extract_tb(error.__traceback__)[-1].line
            told.append((type(error), error.__context__, place))

        for signal in (signals.task_retry, signals.task_failure):
            signal.connect(look)
        fails.delay_on_commit()
        drain_all()
        for signal in (signals.task_retry, signals.task_failure):
            signal.disconnect(look)
        assert told == [(ValueError, None, 'raise ValueError("no")')] * 2

    def test_error_keeps_its_context(self) -> None:
        """It is reported with what led to it, also while another error is handled."""
        error, led_to_it = ValueError("no"), KeyError("key")
        error.__context__ = led_to_it
        effects.make_group.delay_on_commit("a")
        (call,) = load_calls("default", OutboxCall.objects.all())
        runner = Runner(current_app.tasks[hooked.name])
        with suppress(OSError):
            try:
                raise OSError("another")
            finally:
                report_failure(runner, call, error, OutboxCall.Status.DEAD)
        assert told[0][:2] == ("on_failure", "no")
        assert error.__context__ is led_to_it

    @pytest.mark.every_database
    @pytest.mark.parametrize("kind", KINDS)
    def test_hook_meets_an_outage(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hook that finds another server away keeps neither the failure from being recorded, nor
        the calls behind it from being settled."""
        task: Any = find_task(KINDS[kind].name)
        for name in ("on_retry", "on_failure"):
            monkeypatch.setattr(type(task), name, self.find_away, raising=False)
        effects.act("bad", lambda _: 1 / 0)
        with transaction.atomic():
            for each in ("a", "bad", "b"):
                task.delay_on_commit(name=each)
        for _ in range(3):
            drain_task(task, "default")
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (OutboxCall.Status.DEAD, 3)
        assert {"a", "b"} <= set(effects.received)

    @staticmethod
    def find_away(*args: Any) -> None:
        """Raise what Django raises if a server can't be reached."""
        raise OperationalError("no other server")

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
