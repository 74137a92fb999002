"""The web server, on a port of its own."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from core.stack.ports import LOOPBACK, free_port
from core.stack.waiting import wait_until
from tests.celery_engine.engine import PROJECT
from tests.celery_engine.process import Program

PASSED_ON = ("PATH", "DJANGO_SETTINGS_MODULE", "VAR_DIR", "DATABASE_URL", "REDIS_URL")
TIMEOUT = 30
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Served(Program):
    """A site and its server."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        env: dict[str, str] | None = None,
        unix: Path | None = None,
    ) -> None:
        self.port, self.unix = free_port(), unix
        options += ("--unix", str(unix)) if unix else ()
        folder.mkdir(exist_ok=True)
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        super().__init__(
            [sys.executable, "-m", "core.serving", "--port", str(self.port), *options],
            env={"HOME": str(folder), "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
            | passed_on
            | (env or {}),
            cwd=PROJECT,
            log=folder / "web.log",
        )

    def __enter__(self) -> "Served":
        self.start()
        wait_until(lambda: self.answers() or not self.running, TIMEOUT, self.logs)
        assert self.running, self.logs()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def answers(self) -> bool:
        """Return whether ``/healthz`` answers."""
        with suppress(OSError):
            return b" 200 " in self.ask(HEALTH)[:20]
        return False

    def connect(self) -> socket.socket:
        """Return a connection."""
        if not self.unix:
            return socket.create_connection((LOOPBACK, self.port), TIMEOUT)
        with ExitStack() as refused:
            client = refused.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(self.unix))
            refused.pop_all()
        return client

    def ask(self, request: bytes) -> bytes:
        """Return all that comes until the server closes the connection."""
        with self.connect() as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))


StartSite = Callable[..., Served]


@pytest.fixture
def start_site(tmp_path: Path) -> Iterator[StartSite]:
    """Start a site: ``start_site("--processes", "2", env={...})``."""
    sites: list[Served] = []

    def start(*options: str, env: dict[str, str] | None = None) -> Served:
        sites.append(Served(tmp_path, *options, env=env))
        return sites[-1].__enter__()

    yield start
    for site in sites:
        site.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The site as it is served, by one process. Nothing that the tests ask needs the database."""
    with Served(tmp_path_factory.mktemp("site"), "--processes", "1") as site:
        yield site
