"""The log of the site, with what others wrote in it."""

import logging
import logging.config
from typing import Any

import pytest
from django.conf import settings


@pytest.fixture
def formatter() -> logging.Formatter:
    """The formatter that the site's settings ask for."""
    configured: Any = settings.LOGGING
    configurator: Any = logging.config.DictConfigurator(configured)
    made: logging.Formatter = configurator.configure_formatter(
        dict(configured["formatters"]["line"])
    )
    return made


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    """A warning of the site."""
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("site", logging.WARNING, "", 0, "saved %s", (message,), info)


def test_no_escape_sequence(formatter: logging.Formatter) -> None:
    """A title can't clear the screen of who reads the log."""
    assert formatter.format(record("x\x1b[2J")) == r"WARNING site: saved x\x1b[2J"


def test_no_line_of_its_own(formatter: logging.Formatter) -> None:
    """Nor look like another record."""
    lines = formatter.format(record("x\nERROR site: all is lost")).splitlines()
    assert lines == ["WARNING site: saved x", "    ERROR site: all is lost"]


def test_nor_can_an_error(formatter: logging.Formatter) -> None:
    """The text of an exception is somebody else's too."""
    text = formatter.format(record("x", ValueError("a\x1b[2J\nERROR site: lost")))
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if not line.startswith(" ")] == [
        "WARNING site: saved x"
    ]
