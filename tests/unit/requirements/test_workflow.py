"""The workflow tries the versions that the package and the documents promise."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
WORKFLOW = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]
MATRIX: dict[str, Any] = JOBS["test"]["strategy"]["matrix"]
PACKAGE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CLASSIFIERS = {"python": "Programming Language :: Python :: ", "django": "Framework :: Django :: "}
DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
RANGE = re.compile(r"\b(Python|Django|Celery)\s+(\d\.\d+)(?:\s+to\s+|\s*[-–]\s*)(\d\.\d+)\b")  # noqa: RUF001  # a dash
OR_NEWER = re.compile(r"\b(Python|Django|Celery)\s+(\d\.\d+)\s+or\s+newer")
STEPS = [step for job in JOBS.values() for step in job["steps"]]

each_axis = pytest.mark.parametrize("axis", ["python", "django", "celery"])
each_job = pytest.mark.parametrize("job", JOBS)


class TestMatrix:
    """The versions of the matrix."""

    @pytest.mark.parametrize(("axis", "prefix"), CLASSIFIERS.items())
    def test_classifiers(self, axis: str, prefix: str) -> None:
        """The package's classifiers name the same versions."""
        named = [each.removeprefix(prefix) for each in PACKAGE["classifiers"] if prefix in each]
        assert [each for each in named if re.fullmatch(r"\d\.\d+", each)] == MATRIX[axis]

    @each_axis
    def test_lower_bounds(self, axis: str) -> None:
        """The oldest version is the oldest that pip installs the package with."""
        needs = " ".join([f"python{PACKAGE['requires-python']}", *PACKAGE["dependencies"]])
        assert f"{axis}>={MATRIX[axis][0]}" in needs.lower().split()

    @pytest.mark.parametrize("axis", ["Python", "Django", "Celery"])
    def test_readme(self, axis: str) -> None:
        """The README says from which version to which it runs."""
        assert axis in {found[0] for found in RANGE.findall((PROJECT / "README.md").read_text())}

    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_documents(self, document: Path) -> None:
        """Whatever a document says of versions is what the matrix has."""
        text = document.read_text()
        for axis, oldest, newest in RANGE.findall(text):
            assert [oldest, newest] == [MATRIX[axis.lower()][0], MATRIX[axis.lower()][-1]]
        for axis, oldest in OR_NEWER.findall(text):
            assert oldest == MATRIX[axis.lower()][0]

    def test_excluded(self) -> None:
        """What is excluded is a part of the matrix, and every version has a run."""
        cells = [
            {"python": python, "django": django, "celery": celery}
            for python in MATRIX["python"]
            for django in MATRIX["django"]
            for celery in MATRIX["celery"]
        ]
        for excluded in MATRIX["exclude"]:
            left = [cell for cell in cells if not excluded.items() <= cell.items()]
            assert len(left) < len(cells)
            cells = left
        for axis in ("python", "django", "celery"):
            assert sorted({cell[axis] for cell in cells}) == MATRIX[axis]


class TestJobs:
    """What each job may do, and does."""

    def test_reads_only(self) -> None:
        """No job may write to the repository."""
        assert WORKFLOW["permissions"] == {"contents": "read"}
        assert not any("permissions" in job for job in JOBS.values())

    @each_job
    def test_ends(self, job: str) -> None:
        """A job that hangs is ended."""
        assert JOBS[job]["timeout-minutes"] <= 60

    @each_job
    def test_command(self, job: str) -> None:
        """A job runs the Makefile's command of its name."""
        commands = [step["run"].split()[:2] for step in JOBS[job]["steps"] if "run" in step]
        assert ["make", job] in commands
        assert re.search(rf"^{job}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)

    def test_pinned(self) -> None:
        """An action is named by a commit, since a tag can be moved."""
        used = [step["uses"] for step in STEPS if "uses" in step]
        assert used
        assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each)] == []
