"""Fetch Django's tests, run them, and compare their outcomes with what is expected."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import django

from tests.tools.django_task_tests.exchange import exchange_all
from tests.tools.django_task_tests.not_applicable import REASONS, REASONS_OF_BACKPORT

ROOT = Path(__file__).resolve().parents[3]

IS_BACKPORT = not find_spec("django.tasks")
"""Whether this Django has no tasks, so that the package django-tasks has them."""

VERSION_OF_TESTS = "6.1.3" if IS_BACKPORT else django.__version__
"""The Django whose tests are run. The package django-tasks has its tests in no sdist; they are
those of Django, which took them over."""

SETTINGS = "tests.tools.django_task_tests.project.settings"

Outcomes = Mapping[str, str]
"""For each test its failure as text, or nothing if it passed."""


@dataclass(frozen=True)
class Verdict:
    """The tests that passed, that don't apply, and that have not the outcome that is expected."""

    passed: list[str]
    not_applicable: dict[str, str]
    wrong: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{len(self.passed)} of Django {VERSION_OF_TESTS}'s tests pass."]
        lines += [f"Doesn't apply: {test}: {why}" for test, why in self.not_applicable.items()]
        lines += [f"WRONG: {test}: {why}" for test, why in self.wrong.items()]
        return "\n".join(lines)


def fetch_tests(folder: Path) -> Path:
    """Return the folder of Django's tests of tasks, from its sdist on the package index."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--no-binary=Django", "--ignore-requires-python", "-d", str(folder)]
    subprocess.run([*pip, *options, f"Django=={VERSION_OF_TESTS}"], check=True)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = f"{sdist.name.removesuffix('.tar.gz')}/tests/tasks/"
        members = [each for each in archive if each.name.startswith(inside)]
        archive.extractall(folder, members, filter="data")
    return folder / inside


def run(folder: Path) -> Outcomes:
    """Run the tests in the folder, and return their outcomes."""
    exchange_all(fetch_tests(folder), folder / "tasks", IS_BACKPORT)
    outcomes = folder / "outcomes.json"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "OUTCOMES": str(outcomes),
        # Coroutines of the tests ask the backend without await, which for Django's is in memory.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
    }
    command = [sys.executable, "-m", "django", "test", "--noinput", "tasks"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert outcomes.exists(), done.stderr
    found: Outcomes = json.loads(outcomes.read_text())
    assert found, done.stderr
    return found


def judge(outcomes: Outcomes) -> Verdict:
    """Compare the outcomes with those that are expected."""
    reasons = {**REASONS, **(REASONS_OF_BACKPORT if IS_BACKPORT else {})}
    expected = {test: reasons.get(test.removeprefix("tasks."), "") for test in outcomes}
    wrong = {test: text for test, text in outcomes.items() if text and not expected[test]}
    wrong |= {
        test: f"it passes, and should not apply: {why}"
        for test, why in expected.items()
        if why and not outcomes[test]
    }
    wrong |= {test: "there is no such test" for test in reasons if f"tasks.{test}" not in outcomes}
    passed = [test for test, text in outcomes.items() if not text]
    return Verdict(passed, {test: why for test, why in expected.items() if why}, wrong)
