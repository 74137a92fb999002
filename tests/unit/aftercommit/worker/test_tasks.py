"""The library's own tasks: the one that wake-ups call, and the one that starts a canvas."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from celery import chain, current_app
from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError as BrokerError

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import START, start_on_commit
from aftercommit.outbox.turns import begin_turn
from aftercommit.outbox.wake_message import DRAIN, SENT, TURN, total_limits
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.tasks import worker_init_free_drains
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

TASK = effects.make_group.name


def drain(*args: str, **headers: Any) -> Any:
    """Run the task as a worker does, and return its result."""
    task: Any = current_app.tasks[DRAIN]
    return task.apply(args, headers=headers).get()


def test_drains() -> None:
    """It settles what is due of the task, and says so."""
    effects.make_group.delay_on_commit("a")
    assert drain(TASK, "default") == {"task": TASK, "settled": 1}
    assert drain(TASK, "default") == {"task": TASK}


def test_task_that_nobody_has() -> None:
    """A worker without the task leaves its calls as they are."""
    effects.make_group.delay_on_commit("a")
    OutboxCall.objects.update(task="tests.gone")
    assert drain("tests.gone", "default") == {"task": "tests.gone"}
    assert OutboxCall.objects.get().attempts == 0


def test_overtaken() -> None:
    """A wake-up that a drain has overtaken does nothing."""
    effects.make_group.delay_on_commit("a")
    begin_turn("default", TASK)
    headers = {TURN: 1, SENT: time.time() - 60}
    assert drain(TASK, "default", **headers) == {"task": TASK}
    assert OutboxCall.objects.exists()


def test_is_not_the_project_s_to_change() -> None:
    """It is acknowledged before it runs and has no result, whatever the project's settings say.

    With ``task_acks_late`` a lost connection to the broker would cut off the mail that is sent.
    """
    task = current_app.tasks[DRAIN]
    assert (task.acks_late, task.ignore_result, task.max_retries) == (False, True, 0)


def test_settings_for_all_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a project says of all its tasks holds for calls, and not for the drains."""
    task: Any = current_app.tasks[DRAIN]
    # As Celery writes CELERY_TASK_ANNOTATIONS = {"*": …} and CELERY_TASK_DEFAULT_RATE_LIMIT.
    said = {"rate_limit": "1/h", "acks_late": True, "time_limit": 9, "soft_time_limit": 8}
    for name, value in said.items():
        monkeypatch.setattr(type(task), name, value)
        monkeypatch.delitem(vars(task), name, raising=False)
    bucket_for_task: Any = Consumer.bucket_for_task
    assert bucket_for_task(None, task)
    worker_init_free_drains(SimpleNamespace(app=current_app, time_limit=60, soft_time_limit=50))
    try:
        assert bucket_for_task(None, task) is None
        assert not task.acks_late
        assert (task.time_limit, task.soft_time_limit) == total_limits(60, 50)
        worker_init_free_drains(SimpleNamespace(app=current_app))
        assert (task.time_limit, task.soft_time_limit) == (None, None)
    finally:
        for name in said:
            vars(task).pop(name, None)


def test_canvas_while_the_broker_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canvas that can't be sent waits for the broker, without an attempt."""

    def fail(self: Any, *args: Any) -> None:
        raise BrokerError("down")

    canvas = chain(effects.make_group.si("a"), effects.make_group.si("b"))
    start_on_commit(canvas)
    monkeypatch.setattr(type(canvas), "apply_async", fail)
    drain_task(current_app.tasks[START], "default", seconds=0)
    row = OutboxCall.objects.get()
    assert (row.status, row.attempts) == (OutboxCall.Status.PENDING, 0)
    sent: list[Any] = []
    monkeypatch.setattr(type(canvas), "apply_async", lambda self, *_: sent.append(self))
    OutboxCall.objects.update(available_at=row.created_at)
    assert drain_all().settled == 1
    assert len(sent) == 1
