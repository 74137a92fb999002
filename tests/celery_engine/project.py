"""pytest-celery's fixtures for this project: its app, its broker, and the workers of a test.

    broker                   the server that the settings name; stop, start, pause, flush
    celery_broker_cluster    the same, as pytest-celery knows a broker
    celery_worker_cluster    the workers: ``celery_worker_cluster.start(concurrency=2, env={...})``
    celery_setup             pytest-celery's own, of these

The workers run this checkout's code on the database that the test itself uses.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import pools
from pytest_celery import CeleryBrokerCluster

from tests.celery_engine.broker import Broker, BrokerNode
from tests.celery_engine.engine import PROJECT, DockerEngine, Engine, ProcessEngine
from tests.celery_engine.worker import Workers
from tests.plugins.servers import OWN_REDIS, current_database_url

PASSED_ON = ("PATH", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "VAR_DIR")


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker that the settings name, running and empty; restored after the test."""
    server = request.config.stash.get(OWN_REDIS, None)
    if server is None:
        pytest.fail(
            "TEST_REDIS_URL names a server that a test can't stop. Leave it unset for this test."
        )
    broker = Broker(server)
    broker.restore()
    yield broker
    broker.restore()
    drop_connections()


def drop_connections() -> None:
    """Close this process's connections to the broker, which die with a server that is stopped.

    A process that lives on finds that out at its first use of one; a test starts without any. The
    pools are made anew, as after a fork: one that was only emptied blocks whoever asks it next.
    """
    from aftercommit.outbox.wake import flush_wake_ups
    from celery_app import app  # not before Django's settings can be read

    flush_wake_ups(10)
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


@pytest.fixture(scope="session")
def docker_client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """What runs the workers: Docker, or this machine's processes."""
    docker = request.config.getoption("--celery-engine") == "docker"
    engine = DockerEngine() if docker else ProcessEngine(tmp_path_factory.mktemp("workers"))
    yield engine
    engine.close()


@pytest.fixture
def celery_setup_app() -> Celery:
    """The project's app, in the place of one that pytest-celery makes."""
    from celery_app import app

    return app


@pytest.fixture
def celery_backend_cluster() -> None:
    """None: results are in the test's database."""


@pytest.fixture
def celery_broker_cluster(broker: Broker) -> CeleryBrokerCluster:
    """The one broker."""
    return CeleryBrokerCluster(BrokerNode(broker))


@pytest.fixture
def celery_worker_cluster(
    transactional_db: None,
    docker_client: Engine,
    broker: Broker,
    celery_setup_app: Celery,
    tmp_path: Path,
) -> Iterator[Workers]:
    """The workers that the test starts. They see what it commits, hence ``transactional_db``."""
    workers = Workers(docker_client, worker_environment(broker, tmp_path), celery_setup_app)
    yield workers
    workers.teardown()


def worker_environment(broker: Broker, home: Path) -> dict[str, str]:
    """What a worker needs to find the project, the test's database and the broker."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LOG_LEVEL": "INFO",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": current_database_url(),
        "REDIS_URL": broker.url,
    }
