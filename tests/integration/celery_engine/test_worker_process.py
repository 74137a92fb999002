"""The fixtures for this project's own workers and their broker."""

import signal

import psutil
import pytest
from django.db import connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from celery_app import app
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.process import is_alive
from tests.celery_engine.project import WorkerFactory, WorkerProcess, drop_connections
from tests.plugins.servers import current_database_url

TIMEOUT = 20


def answers(worker: WorkerProcess) -> bool:
    """Whether the worker answers when it is called."""
    return bool(app.control.ping(destination=[worker.name], timeout=1, limit=1))


class TestWorkerProcess:
    """``celery_worker_process``."""

    def test_ready(self, celery_worker_process: WorkerFactory) -> None:
        """A worker is ready when the call returns, with as many pool processes as asked for."""
        worker = celery_worker_process(concurrency=2)
        assert worker.running
        assert len(worker.children()) == 2
        assert answers(worker)

    def test_sees_the_database_of_the_test(self, celery_worker_process: WorkerFactory) -> None:
        """Not the one that the environment names."""
        worker = celery_worker_process(env={"LOG_LEVEL": "INFO", "EXTRA": "given"})
        environment = psutil.Process(worker.pid).environ()
        assert environment["DATABASE_URL"] == current_database_url()
        assert str(connection.settings_dict["NAME"]) in environment["DATABASE_URL"]
        assert "test" in str(connection.settings_dict["NAME"])
        assert environment["EXTRA"] == "given"

    def test_kill(self, celery_worker_process: WorkerFactory) -> None:
        """A killed worker takes its pool with it."""
        worker = celery_worker_process(concurrency=2)
        pool = worker.children()
        worker.kill()
        assert not worker.running
        assert worker.returncode == -signal.SIGKILL
        assert not any(map(is_alive, pool))

    def test_kill_children(self, celery_worker_process: WorkerFactory) -> None:
        """A worker whose pool is killed fills it again."""
        worker = celery_worker_process()
        (child,) = worker.children()
        worker.kill_children()
        wait_until(lambda: worker.children() not in ([], [child]), TIMEOUT, worker.logs)
        assert answers(worker)

    def test_terminate(self, celery_worker_process: WorkerFactory) -> None:
        """A terminated worker shuts down warm and says so."""
        worker = celery_worker_process()
        worker.terminate()
        assert worker.wait(TIMEOUT) == 0
        assert "Warm shutdown" in worker.logs()

    def test_start_again(self, celery_worker_process: WorkerFactory) -> None:
        """A worker that ended can be started again; its log goes on."""
        worker = celery_worker_process()
        worker.kill()
        worker.start()
        worker.wait_ready()
        assert worker.logs().count(" ready.") == 2
        assert answers(worker)

    def test_broken_worker(self, celery_worker_process: WorkerFactory) -> None:
        """A worker that can't start fails the test with what it wrote."""
        with pytest.raises(AssertionError, match="is not a yes or no"):
            celery_worker_process(env={"DEBUG": "perhaps"})

    def test_several(self, celery_worker_process: WorkerFactory) -> None:
        """A second worker has a name and a log of its own."""
        first, second = celery_worker_process(), celery_worker_process()
        assert first.pid != second.pid
        assert answers(first)
        assert answers(second)


class TestBroker:
    """``broker``."""

    def test_stop_and_start(self, broker: Broker) -> None:
        """A stopped broker refuses connections, and comes back at the same address, empty."""
        url = broker.url
        with broker.client() as client:
            client.set("key", "value")
        broker.stop()
        assert not broker.running
        with broker.client() as client, pytest.raises(RedisConnectionError):
            client.ping()
        broker.start()
        with broker.client() as client:
            assert client.get("key") is None
        assert broker.url == url

    def test_pause(self, broker: Broker) -> None:
        """A paused broker accepts a connection and answers nothing."""
        impatient = broker.client(socket_timeout=0.2)
        with broker.pause(), impatient as client, pytest.raises(RedisTimeoutError):
            client.ping()
        with broker.client() as client:
            assert client.ping()

    def test_paused_broker_can_be_stopped(self, broker: Broker) -> None:
        """Stopping resumes first, or it would wait for a frozen server."""
        broker.pause()
        broker.stop()
        assert not broker.running

    def test_flush(self, broker: Broker) -> None:
        """Nothing is left after a flush."""
        with broker.client() as client:
            client.set("key", "value")
            broker.flush()
            assert client.dbsize() == 0

    def test_worker_outlives_an_outage(
        self, broker: Broker, celery_worker_process: WorkerFactory
    ) -> None:
        """A worker finds the broker again after a restart."""
        worker = celery_worker_process()
        broker.stop()
        worker.wait_for_log("Cannot connect to redis://")
        broker.start()
        drop_connections()
        wait_until(lambda: answers(worker), TIMEOUT, worker.logs)
