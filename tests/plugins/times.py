"""Where the tests' time goes: at the end of a run, the seconds of each folder's tests.

The seconds are those of all processes together, waiting included.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    parts: dict[str, list[pytest.TestReport]] = defaultdict(list)
    for report in reports(terminalreporter):
        parts[part_of(report.nodeid)].append(report)
    if parts:
        terminalreporter.section("where the time goes")
    for part, its_reports in sorted(parts.items()):
        tests = len({report.nodeid for report in its_reports})
        seconds = sum(report.duration for report in its_reports)
        terminalreporter.write_line(f"{seconds:7.1f} s  {tests:5} tests  {part}")


def reports(terminalreporter: Any) -> Iterator[pytest.TestReport]:
    """Yield the reports of set-ups, calls and tear-downs."""
    everything = chain.from_iterable(terminalreporter.stats.values())
    return (each for each in everything if isinstance(each, pytest.TestReport))


def part_of(nodeid: str) -> str:
    """Return the folder that the test is in, at most three levels deep."""
    return "/".join(nodeid.split("::")[0].split("/")[:-1][:3])
