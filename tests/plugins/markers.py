"""The markers that say on which databases a test has something to show.

``every_database``: what it shows differs between databases, so ``make test`` runs it on each.
``slow``: it takes minutes, so that ``make test-all`` alone runs it.
``only_on("sqlite", "mysql", reason="…")``: it is skipped on the others, with the reason.
"""

import re
from pathlib import Path

import pytest

MARKERS = (
    "every_database: what the test shows differs between databases; make test runs it on each",
    "slow: the test takes minutes; make test-all alone runs it",
    "only_on(*databases, reason): the test is skipped on other databases, for this reason",
)


DIFFERS = "(every_database or only_on) and not slow"
"""The tests that ``make test`` runs on each database."""

NAMES = ("every_database", "only_on")
NAMED = re.compile(rb"\b(every_database|only_on|[a-z]+_only)\b")
"""How a file names them: also as ``postgres_only``, which another module has made."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a file without a test that differs between databases, if only those are run.

    To collect all files takes each process as long as a tenth of those tests.
    """
    is_test = collection_path.match("test_*.py") and config.option.markexpr == DIFFERS
    return True if is_test and not names_marker(collection_path) else None


def names_marker(path: Path) -> bool:
    """Return whether the file itself names a marker of databases."""
    return bool(NAMED.search(path.read_bytes()))


def check_named(items: list[pytest.Item]) -> None:
    """Raise UsageError if a test has such a marker that its file doesn't name."""
    marked = {item.path for item in items if any(map(item.get_closest_marker, NAMES))}
    for path in sorted(marked):
        if not names_marker(path):
            raise pytest.UsageError(
                f"{path} has tests with a marker of databases, and doesn't name it. So make test "
                "would not find them on each database. Write the marker into the file, or give "
                "it a name such as postgres_only."
            )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip each test that needs another database."""
    check_named(items)
    database = config.getoption("--database")
    for item in items:
        for marker in item.iter_markers("only_on"):
            if database not in marker.args:
                item.add_marker(pytest.mark.skip(reason=marker.kwargs["reason"]))
