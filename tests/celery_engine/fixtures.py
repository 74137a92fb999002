"""pytest-celery's fixtures, on the chosen engine and safe beside Django.

A conftest imports these: pytest-celery's own, which come from an installed plugin, then give way.

    docker_client              the seam: everything else that pytest-celery runs comes out of it
    celery_broker_cluster      one Redis broker, where pytest-celery would run each test per broker
    celery_backend_cluster     one Redis result backend, likewise
    celery_redis_backend       a teardown that doesn't evaluate Django's lazy objects
    celery_setup_app           the test's app, and the project's app as the current one afterwards
"""

import gc
from collections.abc import Iterator

import docker
import pytest
from celery import Celery, current_app
from celery.result import AsyncResult
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestSetup,
    RedisContainer,
    RedisTestBroker,
)

from tests.celery_engine.adapting import containers_are_processes
from tests.celery_engine.engine import ProcessEngine
from tests.celery_engine.plugin import CHOSEN


@pytest.fixture(scope="session")
def docker_client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[docker.DockerClient | ProcessEngine]:
    """What runs the brokers and workers: Docker, or this machine's processes."""
    if request.config.stash[CHOSEN] == "docker":
        client = docker.from_env()
        yield client
        client.close()
        return
    engine = ProcessEngine(tmp_path_factory.mktemp("celery-engine"))
    with containers_are_processes():
        yield engine
    engine.close()


@pytest.fixture
def celery_broker_cluster(celery_redis_broker: RedisTestBroker) -> Iterator[CeleryBrokerCluster]:
    """One Redis broker: what the project runs on."""
    cluster = CeleryBrokerCluster(celery_redis_broker)
    yield cluster
    cluster.teardown()


@pytest.fixture
def celery_backend_cluster(
    celery_redis_backend: CeleryTestBackend,
) -> Iterator[CeleryBackendCluster]:
    """One Redis result backend."""
    cluster = CeleryBackendCluster(celery_redis_backend)
    yield cluster
    cluster.teardown()


@pytest.fixture
def celery_redis_backend(default_redis_backend: RedisContainer) -> Iterator[CeleryTestBackend]:
    """A Redis result backend, which the results of the test let go of before it stops."""
    backend = CeleryTestBackend(default_redis_backend)
    yield backend
    forget_results()
    backend.teardown()


def forget_results() -> None:
    """Detach every AsyncResult from its backend: the last act of one would be a call to it.

    As ``RedisTestBackend.teardown`` does, but by ``type()``: ``isinstance()`` asks an object for
    its ``__class__``, which evaluates every lazy object of Django's that the process holds.
    """
    gc.collect()
    for thing in gc.get_objects():
        if issubclass(type(thing), AsyncResult):
            thing.backend = None


@pytest.fixture
def celery_setup_app(
    celery_setup_cls: type[CeleryTestSetup], celery_setup_config: dict, celery_setup_name: str
) -> Iterator[Celery]:
    """The Celery app of the test, which is the current app until the test ends."""
    before = current_app._get_current_object()
    app = celery_setup_cls.create_setup_app(celery_setup_config, celery_setup_name)
    yield app
    before.set_current()
    app.pool.force_close_all()
    app.close()
