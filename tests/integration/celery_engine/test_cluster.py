"""Several workers on one broker, each with queues of its own."""

from collections.abc import Iterator

import pytest
from celery import Celery
from pytest_celery import (
    DEFAULT_WORKER_CONTAINER_TIMEOUT,
    DEFAULT_WORKER_VOLUME,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
    CeleryWorkerContainer,
    identity,
)
from pytest_docker_tools import container, fxtr

TIMEOUT = 30


class SecondWorkerContainer(CeleryWorkerContainer):
    """A worker with another name and another queue."""

    @classmethod
    def worker_name(cls) -> str:
        """The part of its name before the host's."""
        return "second_worker"

    @classmethod
    def worker_queue(cls) -> str:
        """The only queue that it serves."""
        return "second"


second_worker_container = container(
    image="{celery_base_worker_image.id}",
    environment=fxtr("default_worker_env"),
    network="{default_pytest_celery_network.name}",
    volumes={"{default_worker_volume.name}": DEFAULT_WORKER_VOLUME},
    wrapper_class=SecondWorkerContainer,
    timeout=DEFAULT_WORKER_CONTAINER_TIMEOUT,
    command=SecondWorkerContainer.command(),
)


@pytest.fixture
def second_worker(
    second_worker_container: SecondWorkerContainer, default_worker_app: Celery
) -> Iterator[CeleryTestWorker]:
    """The second worker as pytest-celery knows one."""
    worker = CeleryTestWorker(second_worker_container, app=default_worker_app)
    yield worker
    worker.teardown()


@pytest.fixture
def celery_worker_cluster(
    celery_worker: CeleryTestWorker, second_worker: CeleryTestWorker
) -> Iterator[CeleryWorkerCluster]:
    """Two workers."""
    cluster = CeleryWorkerCluster(celery_worker, second_worker)
    yield cluster
    cluster.teardown()


def test_several_workers(celery_setup: CeleryTestSetup) -> None:
    """Each worker answers by its own name and takes from its own queue only."""
    names = {worker.hostname() for worker in celery_setup.worker_cluster}
    assert len(names) == 2
    assert {name for reply in celery_setup.app.control.ping(limit=2) for name in reply} == names
    for worker in celery_setup.worker_cluster:
        result = identity.s("mine").apply_async(queue=worker.worker_queue)
        assert result.get(TIMEOUT) == "mine"
        worker.assert_log_exists(f"[{result.id}] succeeded")
        assert sum(result.id in each.logs() for each in celery_setup.worker_cluster) == 1


def test_one_worker_dies(celery_setup: CeleryTestSetup) -> None:
    """The other worker goes on."""
    first, second = celery_setup.worker_cluster
    first.kill()
    assert second.ready()
    assert identity.s("alone").apply_async(queue="second").get(TIMEOUT) == "alone"
