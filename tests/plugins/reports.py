"""Reports of tests can be sent from one process to another, whatever a test has logged.

A lone surrogate is in no UTF-8. In the log of a test it ended the whole run in several processes.
"""

from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Return what pytest makes of a report, in characters that can be sent."""
    return sendable((yield))


def sendable(value: Any) -> Any:
    """Return the value with each lone surrogate in its texts written as its number."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {sendable(key): sendable(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(sendable(each) for each in value)
    return value
