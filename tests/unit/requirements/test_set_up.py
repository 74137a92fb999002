"""What the Makefile does before anything else: find a Python, install the pinned packages."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements"
LEVELS = ("base", "stack", "docs", "dev")
ALSO = {"celery": "redis"}
"""The extras that the project uses, which the pins can't say: their packages are pinned too."""


def find_python(given: str = "", path: str = "") -> subprocess.CompletedProcess[str]:
    """What the script says to a PYTHON given, or with these folders as the PATH."""
    environment = {"PATH": path or os.environ["PATH"]}
    return subprocess.run(
        ["/bin/sh", str(REQUIREMENTS / "find-python"), given],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def program(folder: Path, name: str, body: str) -> Path:
    """A shell script of that name."""
    script = folder / name
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return script


class TestFindPython:
    """Which Python the virtual environment is built on."""

    def test_the_one_given(self) -> None:
        """By path."""
        assert find_python(sys.executable).stdout.strip() == sys.executable

    def test_one_that_does_not_run_is_passed_over(self, tmp_path: Path) -> None:
        """A version manager's shim is on the PATH, and fails."""
        program(tmp_path, "python3.11", "echo 'python3.11: command not found' >&2; exit 127")
        program(tmp_path, "python3.12", f'exec {sys.executable} "$@"')
        found = find_python(path=str(tmp_path))
        assert (found.returncode, found.stdout.strip()) == (0, sys.executable)

    def test_fail_when_it_is_too_old(self, tmp_path: Path) -> None:
        """The sentence names it and its version."""
        old = program(tmp_path, "python", 'case "$2" in *exit*) exit 1;; *) echo 3.8.18;; esac')
        refused = find_python(str(old))
        assert refused.returncode == 2
        assert refused.stderr == (
            f"PYTHON={old} is Python 3.8.18, which is too old. "
            "Give the path of a Python 3.11 or newer.\n"
        )

    def test_fail_when_it_does_not_run(self) -> None:
        """The sentence says what to give instead."""
        refused = find_python("/no/such/python")
        assert refused.returncode == 2
        assert refused.stderr.startswith("PYTHON=/no/such/python does not run. Give the path of")

    def test_fail_when_there_is_none(self, tmp_path: Path) -> None:
        """One sentence."""
        refused = find_python(path=str(tmp_path))
        assert refused.returncode == 2
        assert refused.stderr.startswith("No Python 3.11 or newer was found on the PATH.")

    def test_fail_without_venv(self, tmp_path: Path) -> None:
        """Debian packs it separately."""
        body = f'case "$2" in *venv*) exit 1;; *) exec {sys.executable} "$@";; esac'
        bare = program(tmp_path, "python", body)
        refused = find_python(str(bare))
        assert refused.returncode == 2
        assert "apt-get install python3-venv" in refused.stderr


def pins(level: str) -> dict[str, str]:
    """The level's packages with their versions, those that only others need too."""
    return {**locked("django"), **locked("celery"), **locked(level)}


def locked(name: str) -> dict[str, str]:
    """The packages of one locked file, with their versions."""
    text = (REQUIREMENTS / "locked" / f"{name}.txt").read_text()
    lines = [line.rstrip(" \\") for line in text.splitlines() if re.match(r"\w", line)]
    return {
        normal(each.name): str(each.specifier).removeprefix("==")
        for each in map(Requirement, lines)
        if each.marker is None or each.marker.evaluate()
    }


def normal(name: str) -> str:
    """A package's name as all tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_has_all_that_its_packages_need(level: str) -> None:
    """Every dependency is pinned in the same level or below, so that nothing is left to chance."""
    have = pins(level)
    missing = {
        f"{name} needs {need.name}"
        for name, version in have.items()
        if importlib.metadata.version(name) == version  # `make test CELERY=...` has another
        for need in map(Requirement, importlib.metadata.requires(name) or [])
        if need.marker is None or need.marker.evaluate({"extra": ALSO.get(name, "")})
        if normal(need.name) not in have
    }
    assert not missing


@pytest.mark.parametrize("level", [*LEVELS, "bench"])
def test_every_package_is_pinned_to_one_version(level: str) -> None:
    """No ranges."""
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins(level).values())


def test_no_file_names_a_registry() -> None:
    """Which registry packages come from is the machine's own business."""
    texts = [path.read_text() for path in REQUIREMENTS.rglob("*.txt")]
    assert not [text for text in texts if "://" in text or "index-url" in text]
