"""pytest-celery's fixtures for this project: a worker, several, their broker, and their end."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_celery import CeleryTestSetup
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from aftercommit.models import OutboxWorker
from celery_app import app
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.process import is_alive
from tests.celery_engine.project import drop_connections
from tests.celery_engine.worker import ProjectWorker

TIMEOUT = 20


def answers(worker: ProjectWorker) -> bool:
    """Whether the worker answers when it is called."""
    return bool(app.control.ping(destination=[worker.hostname()], timeout=1, limit=1))


class TestWorker:
    """``celery_setup.worker_cluster.start()``."""

    def test_ready(self, celery_setup: CeleryTestSetup) -> None:
        """A worker is ready when the call returns, with as many pool processes as asked for."""
        worker = celery_setup.worker_cluster.start(concurrency=2)
        assert worker.running
        assert len(worker.children()) == 2
        assert answers(worker)

    def test_sees_the_database_of_the_test(self, celery_setup: CeleryTestSetup) -> None:
        """Its heartbeat is in the test's database, and it has the environment that it was given."""
        worker = celery_setup.worker_cluster.start(env={"TASK_TIME_LIMIT": "77"})
        wait_until(OutboxWorker.objects.exists, TIMEOUT, worker.logs)
        answers = app.control.inspect([worker.hostname()], limit=1).conf() or {}
        assert answers[worker.hostname()]["CELERY_TASK_TIME_LIMIT"] == 77

    def test_setup(self, celery_setup: CeleryTestSetup) -> None:
        """The project's app, its broker and the workers are one set-up of pytest-celery's."""
        celery_setup.worker_cluster.start()
        assert len(celery_setup) == 2
        assert celery_setup.app is app
        assert celery_setup.ready(control=True)

    def test_kill(self, celery_setup: CeleryTestSetup) -> None:
        """A killed worker takes its pool with it."""
        worker = celery_setup.worker_cluster.start(concurrency=2)
        pool = worker.children()
        worker.kill()
        assert not worker.running
        assert worker.returncode == 128 + signal.SIGKILL
        assert not any(map(is_alive, pool))

    def test_kill_children(self, celery_setup: CeleryTestSetup) -> None:
        """A worker whose pool is killed fills it again."""
        worker = celery_setup.worker_cluster.start()
        (child,) = worker.children()
        worker.kill_children()
        wait_until(lambda: worker.children() not in ([], [child]), TIMEOUT, worker.logs)
        assert answers(worker)

    def test_terminate(self, celery_setup: CeleryTestSetup) -> None:
        """A terminated worker shuts down warm and says so."""
        worker = celery_setup.worker_cluster.start()
        worker.terminate()
        assert worker.wait(TIMEOUT) == 0
        assert "Warm shutdown" in worker.logs()

    def test_start_again(self, celery_setup: CeleryTestSetup) -> None:
        """A worker that ended can be started again; its log goes on."""
        worker = celery_setup.worker_cluster.start()
        worker.kill()
        worker.start()
        worker.wait_ready()
        assert worker.logs().count(" ready.") == 2
        assert answers(worker)

    def test_broken_worker(self, celery_setup: CeleryTestSetup) -> None:
        """A worker that can't start fails the test with what it wrote."""
        with pytest.raises(AssertionError, match="is not a yes or no"):
            celery_setup.worker_cluster.start(env={"DEBUG": "perhaps"})

    def test_several(self, celery_setup: CeleryTestSetup) -> None:
        """A second worker has a name and a log of its own."""
        first, second = celery_setup.worker_cluster.start(), celery_setup.worker_cluster.start()
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

    def test_worker_outlives_an_outage(self, broker: Broker, celery_setup: CeleryTestSetup) -> None:
        """A worker finds the broker again after a restart."""
        worker = celery_setup.worker_cluster.start()
        broker.stop()
        worker.wait_for_log("Cannot connect to redis://")
        broker.start()
        drop_connections()
        wait_until(lambda: answers(worker), TIMEOUT, worker.logs)


SESSION = """
import os, sys
from pathlib import Path
from tests.celery_engine.process import Program

with_a_child = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
)
command = [sys.executable, "-c", with_a_child]
program = Program(command, env=dict(os.environ), cwd=Path.cwd(), log=Path(sys.argv[1]))
program.start()
while not program.children():
    pass
print(program.pid, *program.children(), flush=True)
sys.stdin.read()
"""


def test_nothing_outlives_a_killed_session(tmp_path: Path) -> None:
    """Programs and their children end with the session that started them, even by SIGKILL."""
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdout is not None
        pids = [int(pid) for pid in session.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        session.kill()
        wait_until(lambda: not any(map(is_alive, pids)), 5, "the end of what the session started")
