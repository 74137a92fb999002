"""The markers that say on which databases a test has something to show.

``every_database``: what it shows differs between databases, so ``make test`` runs it on each.
``slow``: it takes minutes, so that ``make test-all`` alone runs it.
``only_on("sqlite", "mysql", reason="…")``: it is skipped on the others, with the reason.
"""

import pytest

MARKERS = (
    "every_database: what the test shows differs between databases; make test runs it on each",
    "slow: the test takes minutes; make test-all alone runs it",
    "only_on(*databases, reason): the test is skipped on other databases, for this reason",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip each test that needs another database."""
    database = config.getoption("--database")
    for item in items:
        for marker in item.iter_markers("only_on"):
            if database not in marker.args:
                item.add_marker(pytest.mark.skip(reason=marker.kwargs["reason"]))
