"""A program that is a fork of the fork server is what a new process would be."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.stack.waiting import wait_until
from tests.celery_engine.fork_server import ENVIRONMENT, PROJECT, ForkedProcess, fork_server

TIMEOUT = 30

DESCRIBE = """
import atexit, json, os, signal, sys
described = {
    "argv": sys.argv, "cwd": os.getcwd(), "environ": dict(os.environ), "name": __name__,
    "path": sys.path, "leads": os.getpgrp() == os.getpid(), "input": sys.stdin.read(),
    "interrupt": str(signal.getsignal(signal.SIGINT)),
    "files": len(os.listdir("/proc/self/fd")),
    "project": [name for name in sys.modules if name.split(".")[0] in ("aftercommit", "content")],
}
print(json.dumps(described))
print("an error", file=sys.stderr)
atexit.register(print, "the end")
sys.exit(3)
"""

SESSION = """
import os, signal
from tests.celery_engine.fork_server import ForkServer
server = ForkServer()
server.ask(poll=server.ask(argv=["this"], env={}, cwd=os.getcwd(), log=os.devnull))
print(server._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.skipif(
    not fork_server.can_start([sys.executable, "-m"], ENVIRONMENT), reason="no forks here"
)


@pytest.fixture
def environment() -> dict[str, str]:
    """Return the environment of a program that can be a fork. It lacks what the server has."""
    kept = {name: value for name, value in ENVIRONMENT.items() if name != "PATH"}
    return {**kept, "GIVEN": "a value"}


def start(folder: Path, code: str, env: dict[str, str], *arguments: str) -> ForkedProcess:
    """Start a module of the folder with this code, as a fork."""
    (folder / "speak.py").write_text(code)
    (folder / "log").touch()
    command = [sys.executable, "-m", "speak", *arguments]
    return fork_server.start(command, env=env, cwd=folder, log=folder / "log")


def as_new_process(folder: Path, env: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of the same module as a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "speak", *arguments],
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    return done.returncode, done.stdout


def described(output: str) -> tuple[Any, list[str]]:
    """Return what the program said of itself, and its other lines."""
    lines = output.splitlines()
    return json.loads(lines[0]), lines[1:]


def test_like_a_new_process(tmp_path: Path, environment: dict[str, str]) -> None:
    """It has the same arguments, folder, environment, path, files, output and end."""
    forked = start(tmp_path, DESCRIBE, environment, "a", "b c")
    status = forked.wait(TIMEOUT)
    log = (tmp_path / "log").read_text()
    expected_status, expected = as_new_process(tmp_path, environment, "a", "b c")
    assert (status, described(log)) == (expected_status, described(expected))
    assert described(log)[1] == ["an error", "the end"]


def test_poll(tmp_path: Path, environment: dict[str, str]) -> None:
    """There is no status while it runs. After a signal, the status is the signal's number."""
    forked = start(tmp_path, "import signal; print('here'); signal.pause()", environment)
    wait_until(lambda: "here" in (tmp_path / "log").read_text(), TIMEOUT)
    assert forked.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)
    forked.send_signal(signal.SIGKILL)
    assert forked.wait(TIMEOUT) == forked.poll() == -signal.SIGKILL
    forked.send_signal(signal.SIGKILL)  # Nobody gets it.


def test_group(tmp_path: Path, environment: dict[str, str]) -> None:
    """It leads its own process group as soon as it is started."""
    forked = start(tmp_path, "import signal; signal.pause()", environment)
    assert os.getpgid(forked.pid) == forked.pid
    os.killpg(forked.pid, signal.SIGTERM)
    assert forked.wait(TIMEOUT) == -signal.SIGTERM


@pytest.mark.parametrize("changed", [{"PYTHONPATH": "/elsewhere"}, {"LD_PRELOAD": "clock.so"}])
def test_changes_python(environment: dict[str, str], changed: dict[str, str]) -> None:
    """What Python reads at its start alone wants a new process."""
    command = [sys.executable, "-m", "celery"]
    assert fork_server.can_start(command, environment)
    assert not fork_server.can_start(command, environment | changed)


@pytest.mark.parametrize("command", [["/bin/true"], [sys.executable, "-c", "pass"]])
def test_no_module(environment: dict[str, str], command: list[str]) -> None:
    """So does what isn't a module."""
    assert not fork_server.can_start(command, environment)


def test_ends_with_its_session() -> None:
    """The server ends when the process that asked it for programs is gone."""
    session = subprocess.run([sys.executable, "-c", SESSION], cwd=PROJECT, stdout=subprocess.PIPE)
    assert session.returncode == -signal.SIGKILL
    wait_until(lambda: not runs(int(session.stdout)), TIMEOUT, "the fork server's end")


def runs(pid: int) -> bool:
    """Return whether the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
