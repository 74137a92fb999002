"""Calls that end without a run that could tell of it: everybody who watches is told."""

import logging
import sys
from datetime import timedelta
from typing import Any

import pytest
from billiard.exceptions import WorkerLostError
from celery import current_app, shared_task, signals
from celery.result import AsyncResult
from django.db.models.functions import Now

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker import lost_calls
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.expired_leases import expire_leases
from aftercommit.worker.sweep import bury_unknown
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Status = OutboxCall.Status
AGO = Now() - timedelta(hours=2)

told: list[Any] = []


@pytest.fixture(autouse=True)
def _listening(settings: Any) -> Any:
    """Keep what Celery's signal tells."""

    def receive(sender: Any, task_id: str, exception: Any, args: Any, **kwargs: Any) -> None:
        told.append((sender.name, task_id, type(exception).__name__, args))

    told.clear()
    settings.OUTBOX_CRASH_GRACE = 1e-6
    signals.task_failure.connect(receive)
    yield
    signals.task_failure.disconnect(receive)


@shared_task(ignore_result=False)
def killer(name: str) -> None:
    """What took its process down."""


@shared_task(atomic=False, reject_on_worker_lost=True, max_retries=0, ignore_result=False)
def slow(name: str) -> None:
    """What was still running when its lease ended."""


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of errors."""
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


def test_log_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that can't be written keeps no other call from its end."""
    monkeypatch.setattr(lost_calls, "log_safely", lambda *args, **kwargs: 1 / 0)
    pair = [killer.delay_on_commit(name) for name in "ab"]
    OutboxCall.objects.update(crashes=2)
    for call in pair:
        OutboxBatch.objects.create(task=killer.name, calls=[call.pk], worker="w", started_at=AGO)
    assert recover_crashed("default") == 2
    assert {name for name, *_ in told} == {killer.name}
    assert len(told) == 2


def test_killed_its_process(caplog: pytest.LogCaptureFixture) -> None:
    """A call that is dead by its crashes is in the log, in the signal and in its result."""
    call = killer.delay_on_commit("a")
    OutboxCall.objects.update(crashes=2)
    OutboxBatch.objects.create(task=killer.name, calls=[call.pk], worker="w", started_at=AGO)
    assert recover_crashed("default") == 1
    assert told == [(killer.name, call.id, "WorkerLostError", ["a"])]
    (line,) = errors(caplog)
    assert line.startswith(f"{killer.name}[{call.id}]: it is a dead letter now: Its process died 3")
    assert AsyncResult(call.id).status == "FAILURE"


def test_error_is_the_one_that_is_handled(settings: Any) -> None:
    """Error trackers, which ask for the error by ``sys.exc_info()``, find it."""
    found: list[Any] = []

    def look(**kwargs: Any) -> None:
        found.append(sys.exc_info()[0])

    call = killer.delay_on_commit("a")
    OutboxCall.objects.update(crashes=2)
    OutboxBatch.objects.create(task=killer.name, calls=[call.pk], worker="w", started_at=AGO)
    signals.task_failure.connect(look)
    recover_crashed("default")
    signals.task_failure.disconnect(look)
    assert found == [WorkerLostError]


def test_outlived_its_lease(caplog: pytest.LogCaptureFixture) -> None:
    """So is one that ran out of retries with its lease."""
    call = slow.delay_on_commit("a")
    OutboxCall.objects.update(status=Status.RUNNING, available_at=AGO)
    assert expire_leases("default") == 1
    assert told == [(slow.name, call.id, "WorkerLostError", ["a"])]
    assert "it is a dead letter now: Its lease ended" in errors(caplog)[0]
    assert AsyncResult(call.id).status == "FAILURE"


@pytest.mark.parametrize("name", ["reject_on_worker_lost", "retry_on_worker_lost"])
def test_runs_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose task says so, by either of Celery's names for it, is due again."""
    task: Any = current_app.tasks[effects.send_outside.name]
    monkeypatch.setattr(task, name, True, raising=False)  # the second is Celery 5.7's
    effects.send_outside.delay_on_commit("a")
    OutboxCall.objects.update(status=Status.RUNNING, available_at=AGO)
    assert expire_leases("default") == 0
    assert list(OutboxCall.objects.values_list("status", "attempts")) == [(Status.PENDING, 1)]


def test_uncertain(caplog: pytest.LogCaptureFixture) -> None:
    """One that is uncertain is in the log; whether it failed nobody knows."""
    call = effects.send_outside.delay_on_commit("a")
    OutboxCall.objects.update(status=Status.RUNNING, available_at=AGO)
    assert expire_leases("default") == 0
    assert OutboxCall.objects.get().status == Status.UNCERTAIN
    (line,) = errors(caplog)
    assert line.startswith(f"{effects.send_outside.name}[{call.id}]: it is uncertain: Its lease")
    assert told == []


def test_unknown(caplog: pytest.LogCaptureFixture) -> None:
    """One whose task nobody has is in the log."""
    call = effects.make_group.delay_on_commit("a")
    OutboxCall.objects.update(task="tests.gone", available_at=AGO)
    assert bury_unknown("default") == 1
    (line,) = errors(caplog)
    assert line.startswith(f"tests.gone[{call.id}]: it is a dead letter now: No worker has had")
    assert told == []
