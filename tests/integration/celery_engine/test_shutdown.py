"""Workers that are killed, asked to end, restarted; each way out is Celery's own."""

import pytest
from celery import Celery
from celery.exceptions import TimeoutError as ResultTimeoutError
from celery.result import AsyncResult
from pytest_celery import CeleryTestSetup, identity

from tests.integration.celery_engine.states import has_exited, wait_until_exited
from tests.integration.celery_engine.tasks import work

TIMEOUT = 30
LONGER_THAN_A_TEST = 600


def start_work(setup: CeleryTestSetup, seconds: float) -> AsyncResult:
    """A task that the worker is busy with."""
    result = work.s(seconds).apply_async(queue=setup.worker.worker_queue)
    setup.worker.wait_for_log(f"working for {seconds} seconds", timeout=TIMEOUT)
    return result


def test_sigkill(celery_setup: CeleryTestSetup) -> None:
    """A killed worker is gone at once, without a word, and so is its task."""
    result = start_work(celery_setup, LONGER_THAN_A_TEST)
    celery_setup.worker.kill()
    assert celery_setup.worker.container.status == "exited"
    assert "shutdown" not in celery_setup.worker.logs()
    with pytest.raises(ResultTimeoutError):
        result.get(0.2)


def test_sigterm(celery_setup: CeleryTestSetup) -> None:
    """A worker that is asked to end finishes its task first: warm shutdown."""
    result = start_work(celery_setup, 1.5)
    celery_setup.worker.kill("SIGTERM")
    assert not has_exited(celery_setup.worker)
    celery_setup.worker.assert_log_exists("worker: Warm shutdown (MainProcess)", timeout=TIMEOUT)
    wait_until_exited(celery_setup.worker)
    assert result.get(TIMEOUT) == "done"


def test_sigquit(celery_setup: CeleryTestSetup) -> None:
    """A worker that is told to quit drops its task: cold shutdown."""
    result = start_work(celery_setup, LONGER_THAN_A_TEST)
    celery_setup.worker.kill("SIGQUIT")
    celery_setup.worker.assert_log_exists("worker: Cold shutdown (MainProcess)", timeout=TIMEOUT)
    wait_until_exited(celery_setup.worker)
    assert f"[{result.id}] succeeded" not in celery_setup.worker.logs()


def test_shutdown_by_control(celery_setup: CeleryTestSetup) -> None:
    """A worker ends when a broadcast tells it to."""
    celery_setup.app.control.shutdown()
    wait_until_exited(celery_setup.worker)


@pytest.mark.parametrize("force", [False, True])
def test_restart(celery_setup: CeleryTestSetup, force: bool) -> None:
    """A restarted worker is the same worker, and goes on with its queue."""
    worker = celery_setup.worker
    worker.restart(force=force)
    assert worker.container.status == "running"
    result = identity.s("again").apply_async(queue=worker.worker_queue)
    assert result.get(TIMEOUT) == "again"
    assert worker.logs().count("Connected to redis://") == 2


def test_restart_after_sigkill(celery_setup: CeleryTestSetup) -> None:
    """What was sent to a dead worker is done when it lives again."""
    worker = celery_setup.worker
    worker.kill()
    result = identity.s("patience").apply_async(queue=worker.worker_queue)
    worker.restart()
    assert result.get(TIMEOUT) == "patience"


class TestLateAcknowledgement:
    """A worker whose tasks are acknowledged after they ran."""

    @pytest.fixture
    def default_worker_app(self, default_worker_app: Celery) -> Celery:
        """The app, set to acknowledge late."""
        default_worker_app.conf.task_acks_late = True
        return default_worker_app

    def test_sigquit_gives_the_message_back(self, celery_setup: CeleryTestSetup) -> None:
        """A task that a cold shutdown interrupted is in the queue again."""
        start_work(celery_setup, LONGER_THAN_A_TEST)
        celery_setup.worker.kill("SIGQUIT")
        wait_until_exited(celery_setup.worker)
        broker = celery_setup.broker.container.client
        assert broker.llen(celery_setup.worker.worker_queue) == 1
