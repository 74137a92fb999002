"""Who watches Celery tasks sees calls: error trackers, Flower, logs, with nothing configured."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from celery import current_app
from celery.events.state import State

from aftercommit.models import OutboxCall
from core.stack.waiting import wait_until
from tests.integration.outbox import tasks
from tests.integration.outbox.conftest import StartWorker

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 30
DEAD = OutboxCall.Status.DEAD


@pytest.fixture
def seen() -> Iterator[State]:
    """What Flower would know: the state that the workers' events make up."""
    state, app = State(), current_app
    connection = app.connection_for_read()
    receiver = app.events.Receiver(connection, handlers={"*": state.event})

    def capture() -> None:
        try:
            receiver.capture(limit=None, timeout=None, wakeup=True)
        except Exception:  # noqa: BLE001  # the connection is closed at the end
            return

    Thread(target=capture, daemon=True).start()
    yield state
    receiver.should_stop = True
    connection.close()


def wait_dead(pk: int) -> None:
    """Wait until the call is a dead letter."""
    rows = OutboxCall.objects.filter(pk=pk, status=DEAD)
    wait_until(rows.exists, TIMEOUT, "a dead letter")


@pytest.mark.parametrize("task", [tasks.fail, tasks.fail_outside])
def test_sentry(start_worker: StartWorker, tmp_path: Path, task: Any) -> None:
    """Sentry's Celery integration reports a failing call under its task's name and its id."""
    path = tmp_path / "events"
    path.touch()
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.integration.outbox.sentry_settings",
        "SENTRY_FILE": str(path),
    }
    start_worker(env=environment)
    call = task.delay_on_commit("no such thing")
    tasks.make_group.delay_on_commit(name="fine")
    wait_dead(call.pk)

    def reported() -> list[Any]:
        events = map(json.loads, path.read_text().splitlines())
        return [each for each in events if each.get("tags", {}).get("celery_task_id") == call.id]

    wait_until(reported, TIMEOUT, path.read_text)
    (event,) = reported()
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "no such thing")
    assert error["mechanism"] == {"type": "celery", "handled": False}
    assert event["transaction"] == task.name
    assert event["extra"]["celery-job"]["task_name"] == task.name


class TestFlower:
    """Events, by which Flower knows tasks."""

    def test_failure(self, start_worker: StartWorker, seen: State) -> None:
        """A call that fails is a failed task of its name, with arguments and traceback."""
        start_worker()
        call = tasks.fail.delay_on_commit("no such thing")
        wait_until(lambda: call.id in seen.tasks, TIMEOUT, "an event")
        wait_until(lambda: seen.tasks[call.id].state == "FAILURE", TIMEOUT, "its end")
        task = seen.tasks[call.id]
        assert task.name == tasks.fail.name
        assert task.args == "['no such thing']"
        assert "ValueError" in task.exception
        assert "raise ValueError(text)" in task.traceback
        assert task.worker.hostname.startswith("worker")

    def test_drain(self, start_worker: StartWorker, seen: State) -> None:
        """A drain can be told from a call, and says what it drained; a call that is done is no
        event unless all are asked for."""
        start_worker()
        call = tasks.make_group.delay_on_commit(name="a")
        wait_until(lambda: _drains(seen), TIMEOUT, "a drain")
        assert all(tasks.make_group.name in each.args for each in _drains(seen))
        wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, "its end")
        assert call.id not in seen.tasks

    def test_success(self, start_worker: StartWorker, seen: State) -> None:
        """With ``OUTBOX_EVENTS`` set to all, those that are done are shown too."""
        start_worker(env={"DJANGO_SETTINGS_MODULE": "tests.integration.outbox.talking_settings"})
        call = tasks.make_group.delay_on_commit(name="a")
        wait_until(lambda: call.id in seen.tasks, TIMEOUT, "an event")
        wait_until(lambda: seen.tasks[call.id].state == "SUCCESS", TIMEOUT, "its end")
        assert seen.tasks[call.id].kwargs == "{'name': 'a'}"


def _drains(state: State) -> list[Any]:
    return [each for each in list(state.tasks.values()) if each.name == "aftercommit.drain"]
