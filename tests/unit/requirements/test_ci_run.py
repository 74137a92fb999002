"""What ``.ci/run`` runs, and how it ends where containers can't be run."""

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
COMMANDS = ["check", "test", "test-all", "attack", "test-containers"]
FAKE = """#!/bin/sh
echo "$1 is done"
[ "$1" = "$FAILS" ] && exit 2
file=${2#NOT_RUN=}
[ "$1" = test-containers ] && printf %s "$SAYS" > "$file"
exit 0
"""
"""A make that does nothing but what the containers' tests say, and fails at one command."""


class Run:
    """``.ci/run``, with a make of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *, fails: str = "", says: str = "") -> tuple[int, list[str]]:
        """Return the exit status and the lines that it wrote."""
        path = os.pathsep.join([str(self.folder), os.environ["PATH"]])
        variables = {"PATH": path, "TMPDIR": str(self.folder), "FAILS": fails, "SAYS": says}
        done = subprocess.run(
            [PROJECT / ".ci" / "run"], env=variables, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs ``.ci/run`` with that make."""
    (tmp_path / "make").write_text(FAKE)
    (tmp_path / "make").chmod(0o755)
    return Run(tmp_path)


def test_all_is_well(run: Run) -> None:
    """Every command is run, one after the other."""
    assert run() == (0, [f"{each} is done" for each in COMMANDS])


def test_containers_not_run(run: Run) -> None:
    """That is no failure, and the very last line says it."""
    status, lines = run(says="NOT RUN: the containers.\n")
    assert status == 0
    assert lines[-2:] == ["test-containers is done", "NOT RUN: the containers."]


@pytest.mark.parametrize("command", COMMANDS)
def test_failure(run: Run, command: str) -> None:
    """It ends the run, whichever command has it: the containers' as well."""
    status, lines = run(fails=command, says="NOT RUN: the containers.\n")
    assert status == 2
    assert lines[-1] == f"{command} is done"


def test_leaves_nothing(run: Run) -> None:
    """The file for the line is gone after it."""
    run(says="NOT RUN: the containers.\n")
    assert [each.name for each in run.folder.iterdir()] == ["make"]
