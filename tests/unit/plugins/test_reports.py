"""Reports that one process sends to another."""

import pytest

from tests.plugins.reports import sendable


def test_surrogate(request: pytest.FixtureRequest) -> None:
    """A test that has logged a lone surrogate has a report that can be encoded."""
    sections = [("Captured log call", "it said \ud800 and ß")]
    report = pytest.TestReport("a_test", ("", 0, ""), {}, "failed", "no \ud800", "call", sections)
    data = request.config.hook.pytest_report_to_serializable(config=request.config, report=report)
    assert data["sections"] == [("Captured log call", "it said \\ud800 and ß")]
    assert data["longrepr"] == "no \\ud800"


@pytest.mark.parametrize("value", [None, 1.5, True, "ß", ["a", ("b", {"c": 1})]])
def test_others(value: object) -> None:
    """Everything else stays as it is."""
    assert sendable(value) == value
