"""Remote control and inspection of a worker."""

from pytest_celery import CeleryTestSetup

from core.stack.waiting import wait_until
from tests.integration.celery_engine.tasks import work

TIMEOUT = 30
LONGER_THAN_A_TEST = 600


def test_inspect(celery_setup: CeleryTestSetup) -> None:
    """A worker tells its queues, its tasks and its pool under its own name."""
    name = celery_setup.worker.hostname()
    inspect = celery_setup.app.control.inspect(limit=1)
    assert [queue["name"] for queue in inspect.active_queues()[name]] == ["celery"]
    assert "pytest_celery.vendors.worker.tasks.ping" in inspect.registered()[name]
    assert inspect.stats()[name]["pool"]["processes"]


def test_revoke_running_task(celery_setup: CeleryTestSetup) -> None:
    """A running task is seen in the worker, and is ended by revoking it."""
    name = celery_setup.worker.hostname()
    inspect = celery_setup.app.control.inspect(limit=1)
    result = work.s(LONGER_THAN_A_TEST).apply_async(queue=celery_setup.worker.worker_queue)
    active = wait_until(lambda: inspect.active()[name], TIMEOUT, "the task in the worker")
    assert [task["id"] for task in active] == [result.id]
    result.revoke(terminate=True, signal="SIGKILL")
    wait_until(lambda: result.state == "REVOKED", TIMEOUT, celery_setup.worker.logs)
