"""A broker that goes away and comes back."""

import pytest
from kombu.exceptions import OperationalError
from pytest_celery import CeleryTestSetup, identity

from core.stack.waiting import wait_until

TIMEOUT = 30


def answers(setup: CeleryTestSetup, value: str) -> bool:
    """Whether a task that is sent now is done."""
    result = identity.s(value).apply_async(queue=setup.worker.worker_queue)
    return bool(result.get(TIMEOUT) == value)


def wait_acknowledged(setup: CeleryTestSetup) -> None:
    """Wait until the worker holds no message: kombu 5.7 fails to give one back to a dead broker."""
    client = setup.broker.container.client
    wait_until(lambda: not client.exists("unacked"), TIMEOUT, "the worker's acknowledgement")


def test_killed_broker(celery_setup: CeleryTestSetup) -> None:
    """Without its broker a task can't be sent, and the worker says what it misses."""
    assert answers(celery_setup, "before")
    wait_acknowledged(celery_setup)
    celery_setup.broker.kill()
    assert celery_setup.broker.container.status == "exited"
    with pytest.raises(OperationalError):
        identity.s("lost").apply_async(retry=False)
    celery_setup.worker.assert_log_exists("Cannot connect to redis://", timeout=TIMEOUT)


@pytest.mark.parametrize("kill_first", [False, True])
def test_restarted_broker(celery_setup: CeleryTestSetup, kill_first: bool) -> None:
    """A worker finds its broker again, and works."""
    assert answers(celery_setup, "before")
    wait_acknowledged(celery_setup)
    if kill_first:
        celery_setup.broker.kill()
    celery_setup.broker.restart()
    assert answers(celery_setup, "after")


def test_broker_of_its_own(celery_setup: CeleryTestSetup) -> None:
    """The broker is not the result backend, and neither holds anything of another test."""
    broker, backend = celery_setup.broker.container, celery_setup.backend.container
    assert broker.port != backend.port
    assert backend.client.keys("celery-task-meta-*") == []


def test_frozen_broker(celery_setup: CeleryTestSetup) -> None:
    """A broker that is stopped without a word loses nothing when it goes on."""
    raw = celery_setup.broker.container._container
    raw.pause()
    raw.unpause()
    wait_until(lambda: celery_setup.broker.container.client.ping(), TIMEOUT, "the broker")
    assert answers(celery_setup, "thawed")
