"""What mypy knows of a project's tasks, by the plugin."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]

PROGRAM = """
from celery import shared_task

@shared_task
def plain(name: str) -> None: ...

@shared_task(bind=False, batch=True, lease=60, max_retries=3)
def with_options(name: str) -> None: ...

@shared_task(name=5)
def wrongly_named(name: str) -> None: ...

reveal_type(plain)
reveal_type(with_options)
plain.delay_on_commit("a")
plain.nonsense("a")
"""

CONFIGURATION = """
[mypy]
plugins = {project}/aftercommit/contrib/mypy_plugin.py
follow_imports = silent
ignore_missing_imports = True
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what mypy says of the program, line by line."""
    home = tmp_path_factory.mktemp("mypy")
    (home / "program.py").write_text(PROGRAM)
    (home / "mypy.ini").write_text(CONFIGURATION.format(project=PROJECT))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "program.py"],
        cwd=home,
        env={"MYPYPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return re.findall(r"^program.py:\d+: (.*)$", done.stdout, re.M) or [done.stdout + done.stderr]


def test_class(lines: list[str]) -> None:
    """``@shared_task`` gives an OutboxTask, with options and without, and its options pass."""
    revealed = [line for line in lines if "Revealed type" in line]
    assert revealed == ['note: Revealed type is "aftercommit.outbox.task.OutboxTask"'] * 2


def test_mistakes(lines: list[str]) -> None:
    """A method that there isn't and a wrong type of an option of Celery's are errors."""
    errors = [line for line in lines if line.startswith("error")]
    assert len(errors) == 2
    assert 'No overload variant of "shared_task" matches argument type "int"' in errors[0]
    assert '"OutboxTask" has no attribute "nonsense"' in errors[1]
