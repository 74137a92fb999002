"""The health check of the worker and of beat."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import ping
from core.flower.app import app

PROJECT = Path(__file__).parents[3]
NODE = f"worker@{socket.gethostname()}"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([{NODE: {"ok": "pong"}}], None),
        ([], f"{NODE} does not answer within 5 s."),
    ],
)
def test_answer(answers: list[Any], expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of this container is asked, and no other. Before that the alarm is set."""
    asked: list[Any] = []

    def answer(**given: Any) -> list[Any]:
        asked.append(given)
        return answers

    monkeypatch.setattr(signal, "alarm", asked.append)
    monkeypatch.setattr(app.control, "ping", answer)
    assert ping.main("worker") == expected
    assert asked == [25, {"destination": [NODE], "timeout": 5}]


def test_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence says so, since Docker shows the end of what a check writes."""

    def fail(**given: Any) -> None:
        raise ConnectionError("no way to redis:6379")

    monkeypatch.setattr(signal, "alarm", lambda seconds: None)
    monkeypatch.setattr(app.control, "ping", fail)
    assert ping.main("worker") == f"{NODE} can't be asked: no way to redis:6379"


@pytest.mark.slow
def test_silent_broker() -> None:
    """It ends in time all the same, so that no second one waits beside it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = "from core import ping; ping.ENDS_WITHIN = 1; ping.main('worker')"
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        environment = {"PATH": os.environ["PATH"], "REDIS_URL": url}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env=environment, timeout=60, check=False
        )
    assert done.returncode == -signal.SIGALRM
