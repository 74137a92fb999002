"""Which files are collected where only the tests that differ between databases are run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.plugins.markers import DIFFERS, check_named, pytest_ignore_collect

MARKED = "import pytest\npytestmark = pytest.mark.every_database\n"


def config(marks: str) -> Any:
    """Return the configuration of a run with these marks."""
    return SimpleNamespace(option=SimpleNamespace(markexpr=marks))


@pytest.mark.parametrize(
    ("name", "text", "marks", "ignored"),
    [
        ("test_a.py", MARKED, DIFFERS, None),
        ("test_a.py", "@pytest.mark.only_on('mysql', reason='')", DIFFERS, None),
        ("test_a.py", "from a import postgres_only", DIFFERS, None),
        ("test_a.py", "def test_every_databases(): ...", DIFFERS, True),
        ("test_a.py", "", "not slow", None),
        ("test_a.py", "", "", None),
        ("conftest.py", "", DIFFERS, None),
    ],
)
def test_ignored(tmp_path: Path, name: str, text: str, marks: str, ignored: bool | None) -> None:
    """A file of tests that names no marker is left out, and only in such a run."""
    path = tmp_path / name
    path.write_text(text)
    assert pytest_ignore_collect(path, config(marks)) is ignored


@pytest.mark.parametrize("text", [MARKED, "from others import *"])
def test_fail_not_named(tmp_path: Path, text: str) -> None:
    """A file that has a marker from elsewhere would be left out: that ends each run."""
    path = tmp_path / "test_a.py"
    path.write_text(text)
    item: Any = SimpleNamespace(
        path=path, get_closest_marker=lambda name: name == "every_database" or None
    )
    if text == MARKED:
        check_named([item])
        return
    with pytest.raises(pytest.UsageError, match=r"test_a\.py has tests with a marker"):
        check_named([item])
