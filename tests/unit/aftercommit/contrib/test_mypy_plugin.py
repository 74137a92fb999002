"""What mypy knows of a project's tasks, by the plugin."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[4]

PROGRAM = """
from collections.abc import Sequence
from typing import Any

from celery import shared_task

from aftercommit.call import Call

@shared_task
def plain(name: str) -> None: ...

@shared_task(bind=False, batch=False, lease=60, max_retries=3)
def with_options(name: str) -> None: ...

@shared_task(bind=True, max_retries=3)
def bound(self: Any, name: str) -> None: ...

@shared_task(batch=True)
def batch(calls: Sequence[Call]) -> None: ...

@shared_task(name=5)
def wrongly_named(name: str) -> None: ...

reveal_type(plain)
reveal_type(with_options)
plain.delay_on_commit("a")
plain.nonsense("a")

for task in (plain, with_options, bound):
    task.delay_on_commit(name="a")
    task.using("default").delay_on_commit("a")
batch.delay_on_commit(anything=1)
batch.using("default").delay_on_commit(anything=1)

plain.delay_on_commit(wrong=1)
with_options.delay_on_commit(wrong=2)
bound.delay_on_commit(wrong=3)
plain.using("default").delay_on_commit(wrong=4)
bound.using("default").delay_on_commit(wrong=5)
plain.delay_on_commit(name=6)
plain.using("default").delay_on_commit(7)
plain.using(None)
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
    expected = 'note: Revealed type is "aftercommit.outbox.task.OutboxTask[[name: str], None]"'
    assert [line.replace("builtins.", "") for line in revealed] == [expected] * 2


def test_mistakes(lines: list[str]) -> None:
    """A method that there isn't and a wrong type of an option of Celery's are errors."""
    errors = [line for line in lines if line.startswith("error")][:2]
    assert 'No overload variant of "shared_task" matches argument type "int"' in errors[0]
    assert '"OutboxTask[[str], None]" has no attribute "nonsense"' in errors[1]


def test_arguments(lines: list[str]) -> None:
    """A call's arguments are those of the function; of a batch task's calls they are any."""
    errors = [line for line in lines if line.startswith("error")][2:]
    assert len(errors) == 8
    assert all('Unexpected keyword argument "wrong"' in line for line in errors[:5])
    assert all('"delay_on_commit"' in line and '"int"' in line for line in errors[5:7])
    assert 'Argument 1 to "using"' in errors[7]
