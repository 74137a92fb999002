"""Real workers and web processes, each of which a test may stop at a named point."""

import re
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_celery import CeleryTestSetup

from aftercommit.models import OutboxCall
from content.models import Article
from core.stack.ports import free_port
from core.stack.probes import http_answers
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.engine import PROJECT
from tests.celery_engine.process import Program
from tests.celery_engine.project import worker_environment
from tests.celery_engine.worker import ProjectWorker
from tests.factories import ArticleFactory
from tests.integration.outbox.conftest import QUICK, Gate, _no_wake_up_of_another_test, gate
from tests.reliability.proxy import Proxy
from tests.reliability.settings import OUTBOX_DRAIN_SECONDS, OUTBOX_WAKE_TTL

__all__ = ["Gate", "_no_wake_up_of_another_test", "gate"]  # fixtures: pytest finds them by name

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.reliability.settings"}
INCLUDE = ["tests.reliability.tasks", "tests.reliability.points", "tests.reliability.quick_pool"]
POISON = "tests.reliability.poison_tasks"

StartWorker = Callable[..., ProjectWorker]


@pytest.fixture(autouse=True)
def _short_times(settings: Any) -> None:
    """The test's own process has the times that the others have."""
    settings.OUTBOX_WAKE_TTL = OUTBOX_WAKE_TTL
    settings.OUTBOX_DRAIN_SECONDS = OUTBOX_DRAIN_SECONDS


def environment(broker: Broker, home: Path, point: str, gate: Gate) -> dict[str, str]:
    """What a process of the site needs, to be stopped at the point."""
    return worker_environment(broker, home) | SETTINGS | stopped_at(point, gate)


def stopped_at(point: str, gate: Gate) -> dict[str, str]:
    """The environment of a process that waits at the point for the gate; of any other if ""."""
    return {"FAULT_POINT": point, "FAULT_GATE": gate.path} if point else {}


@pytest.fixture
def start_worker(celery_setup: CeleryTestSetup, gate: Gate) -> StartWorker:
    """Start a worker that sweeps often: ``start_worker(2, point="claimed", env={...})``.

    It has this folder's tasks, and the modules that ``include`` names.
    """

    def start(
        concurrency: int = 1,
        *,
        point: str = "",
        env: dict[str, str] | None = None,
        include: Sequence[str] = (),
    ) -> ProjectWorker:
        env = SETTINGS | QUICK | stopped_at(point, gate) | (env or {})
        args = ["--include", ",".join([*INCLUDE, *include])]
        return celery_setup.worker_cluster.start(concurrency, env=env, args=args)

    return start


class Web(Program):
    """The site behind its web server: one process that takes requests, and its parent."""

    def wait_ready(self) -> None:
        """Return once it listens."""
        wait_until(lambda: self._answers() or not self.running, 30, self.logs)
        assert self.running, self.logs()

    def get(self, path: str, timeout: float = 30) -> int:
        """The status that a request for the page is answered with."""
        address = self._address() + path
        with urllib.request.urlopen(address, timeout=timeout) as response:  # noqa: S310  # ours
            return int(response.status)

    def _answers(self) -> bool:
        return bool(self._address()) and http_answers(f"{self._address()}/healthz")

    def _address(self) -> str:
        found = re.search(r"Listening at: (http://\S+)", self.logs_since_start())
        return found[1] if found else ""


StartWeb = Callable[..., Web]


@pytest.fixture
def start_web(
    transactional_db: None, broker: Broker, gate: Gate, tmp_path: Path
) -> Iterator[StartWeb]:
    """Start the site on the test's database: ``start_web(point="after COMMIT", env={...})``."""
    sites: list[Web] = []

    def start(*, point: str = "", env: dict[str, str] | None = None) -> Web:
        serve = [sys.executable, "-m", "core.serving", "--port", str(free_port())]
        how = ["--application", "tests.reliability.web:application", "--processes", "1"]
        env = environment(broker, tmp_path, point, gate) | (env or {})
        log = tmp_path / f"web{len(sites)}.log"
        web = Web([*serve, *how], env=env, cwd=PROJECT, log=log)
        sites.append(web)
        web.start()
        web.wait_ready()
        return web

    yield start
    for web in sites:
        if web.running:
            web.kill()


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    """What stands between processes that are given its ``url`` and the broker."""
    with Proxy(broker.url) as proxy:
        yield proxy


@pytest.fixture
def start_commit(
    transactional_db: None, broker: Broker, gate: Gate, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Start a process that commits a call and exits: ``start_commit(point="at exit")``."""
    programs: list[Program] = []

    def start(*, point: str = "", env: dict[str, str] | None = None) -> Program:
        env = environment(broker, tmp_path, point, gate) | (env or {})
        command = [sys.executable, "-m", "tests.reliability.commit"]
        program = Program(command, env=env, cwd=PROJECT, log=tmp_path / "commit.log")
        programs.append(program)
        program.start()
        return program

    yield start
    for program in programs:
        if program.running:
            program.kill()


@pytest.fixture
def article(transactional_db: None) -> Article:
    """A published article, each view of which is to be counted."""
    article: Article = ArticleFactory(published=True)
    OutboxCall.objects.all().delete()
    return article
