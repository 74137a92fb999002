"""The whole system as ``make run`` starts it: ready, restarted, stopped, nothing left."""

import base64
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from core.stack.ports import free_port
from core.stack.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 90
STOPPED_WITHIN = 60


class Run:
    """One ``python -m core.stack`` on free ports and data of its own."""

    def __init__(self, folder: Path, inherit: Callable[[], None] | None = None) -> None:
        self.web, self.flower = free_port(), free_port()
        self.log, self.var = folder / "log", folder / "var"
        ports = {"WEB_PORT": str(self.web), "FLOWER_PORT": str(self.flower)}
        bare = {"PATH": os.environ["PATH"], "HOME": str(folder), "VAR_DIR": str(self.var)}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "core.stack"],
                cwd=ROOT,
                env={**bare, **ports},
                stdout=log,
                stderr=log,
                preexec_fn=inherit,  # this process has no other threads
            )

    @property
    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text()

    def wait_ready(self) -> None:
        """Returns when it says that all is ready."""
        wait_until(lambda: self.says("Ready after") or self.ended, READY_WITHIN, "the stack")
        assert not self.ended, self.text

    def says(self, words: str) -> bool:
        """Whether the words are on the screen."""
        return words in self.text

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def children(self) -> list[int]:
        """The process ids of what it started."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self) -> int:
        """Its exit code after a SIGTERM."""
        self.process.terminate()
        return self.process.wait(STOPPED_WITHIN)


def ignore_signals() -> None:
    """Ignore and block what whoever starts a stack may have: a shell, a service, nohup."""
    for each in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Run, None, None]:
    """A stack that answers."""
    run = Run(tmp_path, getattr(request, "param", None))
    try:
        run.wait_ready()
        yield run
    finally:
        run.process.kill()  # its children end with it
        run.process.wait()


def status(url: str) -> int:
    """The HTTP status of the page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  # our own site
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def assert_redis_asks_for_a_password(run: Run) -> None:
    """Other users of the machine reach its port too, and can read command lines."""
    password = (run.var / "redis_password").read_text()
    for pid in run.children():
        assert password not in Path(f"/proc/{pid}/cmdline").read_text()
    assert password not in run.text
    assert stat.S_IMODE((run.var / "redis.conf").stat().st_mode) == 0o600
    [port] = map(int, re.findall(r"Redis +127.0.0.1:(\d+)", run.text))
    with Redis(port=port) as anybody, pytest.raises(AuthenticationError):
        anybody.ping()
    with Redis(port=port, password=password) as owner:
        assert owner.ping()


def assert_secrets_stay_with_the_site(run: Run) -> None:
    """Flower works without the site's secrets, and so do the servers."""
    found: dict[str, set[str]] = {}
    for pid in run.children():
        command = Path(f"/proc/{pid}/cmdline").read_text()
        environ = Path(f"/proc/{pid}/environ").read_text()
        names = ("secret_key", "redis_password", "flower_password")
        kept = {name for name in names if (run.var / name).read_text() in environ}
        found |= {name: kept for name in ("flower", "mail_catcher", "valkey") if name in command}
    assert found == {"flower": {"flower_password"}, "mail_catcher": set(), "valkey": set()}
    login = f"admin:{(run.var / 'flower_password').read_text()}"
    workers = read_page(f"http://127.0.0.1:{run.flower}/api/workers?refresh=true", login)
    assert f"worker@{socket.gethostname()}" in workers


def read_page(url: str, login: str) -> str:
    """Return the page that the login opens."""
    word = base64.b64encode(login.encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {word}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # our own site
        return str(response.read().decode())


@pytest.mark.parametrize(
    "run",
    [
        # The other case does the same, and a worker that is killed has a stack without it.
        pytest.param(None, id="", marks=pytest.mark.slow),
        pytest.param(ignore_signals, id="signals"),
    ],
    indirect=True,
)
def test_it_serves_and_stops_without_a_trace(run: Run) -> None:
    """The site is open, Flower wants a login, SIGTERM ends it all with exit code 0."""
    assert status(f"http://127.0.0.1:{run.web}/") == 200
    assert status(f"http://127.0.0.1:{run.flower}/") == 401
    assert run.says("Demo logins")
    for name in ("admin", "author", "reader"):
        password = run.var / f"demo_{name}_password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert re.search(rf"^    {name} +{password.read_text()}", run.text, re.MULTILINE)
    children = run.children()
    assert len(children) == 6
    assert_redis_asks_for_a_password(run)
    assert_secrets_stay_with_the_site(run)
    assert run.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    order = re.findall(r"^Stopping (\w+)", run.text, re.MULTILINE)
    assert order == ["web", "beat", "worker", "flower", "mail", "redis"]


def test_a_killed_worker_is_replaced(run: Run) -> None:
    """The screen says so, and the new one is ready."""
    [worker] = [
        pid
        for pid in run.children()
        if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: run.text.count(" ready.") == 2, READY_WITHIN, "the second worker")
    assert run.says("worker ended by SIGKILL. Its last lines:")
    assert not run.ended
