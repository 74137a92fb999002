"""What is wrong with the settings is one line of a program's log."""

import os
import subprocess
import sys

import pytest

from tests.unit.core.test_settings import ROOT

SERVE = ["-m", "core.serving"]
WORK = ["-m", "celery", "--quiet", "-A", "celery_app", "worker"]
MIGRATE = ["manage.py", "migrate_when_ready"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program without a SECRET_KEY."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": "/no/such/folder"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(SERVE, id="serving"),
        pytest.param(WORK, id="worker", marks=pytest.mark.slow),
        pytest.param(MIGRATE, id="migrate", marks=pytest.mark.slow),
    ],
)
def test_missing_key(program: list[str]) -> None:
    """Without one, each program ends with the line that says what to do."""
    ended = run(*program)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("SECRET_KEY is empty, and none is kept in /no/such/folder. Set ")


def test_other_errors() -> None:
    """An error that is not of the settings has its traceback."""
    code = (
        "from core.one_line import tell_in_one_line; tell_in_one_line(); "
        "from django.core.exceptions import ImproperlyConfigured; raise ImproperlyConfigured('no')"
    )
    assert "Traceback" in run("-c", code).stderr
