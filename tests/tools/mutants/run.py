"""Run the unit tests on a mutant, in a copy of the tree."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.tools.mutants.mutate import Mutant

PROJECT = Path(__file__).parents[3]

PASSED, NOTHING_RUN = 0, 5
"""The exit statuses of pytest by which a mutant has survived."""

GRACE = 30
"""Seconds that pytest has to stop its servers when its time is up."""


class Case(NamedTuple):
    """A mutant and the file that it is one of."""

    path: str
    mutant: Mutant

    @property
    def module(self) -> str:
        """Return the module's dotted name."""
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def package(self) -> str:
        """Return the package at the top."""
        return self.path.partition("/")[0]


class Tree:
    """A copy of the project, in which files can be changed."""

    def __init__(self, root: Path, database: str, seconds: float) -> None:
        self._root, self._database, self._seconds = root, database, seconds
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=PROJECT, capture_output=True, text=True, check=True)
        for name in names.stdout.splitlines():
            if (PROJECT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, root / name)

    def passes(self, packages: Iterable[str]) -> bool:
        """Return whether the unit tests of the packages pass as the tree is."""
        return self._passes([*map(folder_of, packages)])

    def survives(self, case: Case) -> bool:
        """Return whether no unit test fails: those of the module first, then the package's."""
        path = self._root / case.path
        original = path.read_text()
        path.write_text(case.mutant.text)
        try:
            near = tests_of(self._root, case)
            return self._passes(near) and self._passes([folder_of(case.package)])
        finally:
            path.write_text(original)

    def _passes(self, tests: Sequence[str]) -> bool:
        if not tests:
            return True
        command = [sys.executable, "-m", "pytest", f"--database={self._database}", "-x", "-q"]
        with subprocess.Popen(
            [*command, "-p", "no:cacheprovider", *tests],
            cwd=self._root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            status = _wait(process, self._seconds)
        if status is None:
            # Said, since on a machine that is too slow every mutant would seem to be noticed.
            print(f"Not done in {self._seconds:g} s: {' '.join(tests)}", flush=True)
        return status in (PASSED, NOTHING_RUN)


def tests_of(root: Path, case: Case) -> list[str]:
    """Return the files of unit tests that name the module, the one of its own name first."""
    own = f"test_{Path(case.path).stem}.py"
    found = [
        path
        for path in (root / "tests/unit").rglob("test_*.py")
        if path.name == own or case.module in path.read_text()
    ]
    ordered = sorted(found, key=lambda path: (path.name != own, path.stat().st_size))
    return [str(path.relative_to(root)) for path in ordered]


def folder_of(package: str) -> str:
    """Return the folder of the package's unit tests."""
    return f"tests/unit/{package}"


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    """Return how pytest ended. None if its time was up: a test that hangs has noticed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            seconds = GRACE
    return None
