"""One worker: it comes up, runs tasks, logs, and sees nothing of the session's environment."""

import pytest
from celery.exceptions import TimeoutError as ResultTimeoutError
from pytest_celery import CeleryTestSetup, add, fail, identity

from tests.integration.celery_engine.tasks import environment

TIMEOUT = 30


def test_ready(celery_setup: CeleryTestSetup) -> None:
    """The setup is a broker, a result backend and a worker; each says that it is ready."""
    assert len(celery_setup) == 3
    assert celery_setup.ready()


def test_ping_as_task_and_as_control(celery_setup: CeleryTestSetup) -> None:
    """The worker answers a task and a broadcast."""
    assert celery_setup.ready(ping=True, control=True)
    replies = celery_setup.app.control.ping(limit=1)
    assert replies == [{celery_setup.worker.hostname(): {"ok": "pong"}}]


def test_round_trip(celery_setup: CeleryTestSetup) -> None:
    """Arguments reach the worker and its return value comes back, as JSON carries them."""
    value = {"text": "é", "numbers": [1, 2.5, None], "nested": {"yes": True}}
    queue = celery_setup.worker.worker_queue
    assert identity.s(value).apply_async(queue=queue).get(TIMEOUT) == value
    assert add.s(1, 2).apply_async(queue=queue).get(TIMEOUT) == 3


def test_failed_task(celery_setup: CeleryTestSetup) -> None:
    """An exception in the worker is raised where the result is asked for."""
    result = fail.s("on purpose").apply_async(queue=celery_setup.worker.worker_queue)
    with pytest.raises(RuntimeError, match="on purpose"):
        result.get(TIMEOUT)
    assert result.state == "FAILURE"
    celery_setup.worker.assert_log_exists("Task expected to fail")


def test_logs(celery_setup: CeleryTestSetup) -> None:
    """A task's life is in the worker's log, and what didn't happen isn't."""
    worker = celery_setup.worker
    result = add.s(20, 22).apply_async(queue=worker.worker_queue)
    worker.wait_for_log(f"[{result.id}] received", timeout=TIMEOUT)
    worker.assert_log_exists(f"[{result.id}] succeeded", timeout=TIMEOUT)
    worker.assert_log_does_not_exist("Task expected to fail")
    with pytest.raises(AssertionError, match="did not log"):
        worker.assert_log_exists("never written", timeout=1)


def test_environment(celery_setup: CeleryTestSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is given what pytest-celery passes, and no database of anybody's."""
    seen = environment.s().apply_async(queue=celery_setup.worker.worker_queue).get(TIMEOUT)
    assert seen["CELERY_BROKER_URL"].startswith("redis://")
    assert not {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"} & seen.keys()


def test_queue_without_worker(celery_setup: CeleryTestSetup) -> None:
    """A message for another queue stays there until a worker takes the queue on."""
    result = identity.s("late").apply_async(queue="elsewhere")
    with pytest.raises(ResultTimeoutError):
        result.get(0.5)
    assert celery_setup.broker.container.client.llen("elsewhere") == 1
    celery_setup.app.control.add_consumer("elsewhere", reply=True, limit=1)
    assert result.get(TIMEOUT) == "late"


def test_exec_run(celery_setup: CeleryTestSetup) -> None:
    """A command runs where the worker runs: beside its code."""
    processes = celery_setup.worker.get_running_processes_info(["pid", "cmdline"])
    assert any("celery_test_worker" in " ".join(each["cmdline"] or []) for each in processes)
