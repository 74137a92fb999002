"""The log of the site, with what others wrote in it."""

import logging
import logging.config
from typing import Any

import pytest
from django.conf import settings
from django.test import Client


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


def refused(client: Client, caplog: pytest.LogCaptureFixture, **request: Any) -> logging.LogRecord:
    """What Django logs of a request that is refused."""
    with caplog.at_level(logging.WARNING, "django"):
        assert client.get("/", **request).status_code == 400
    return caplog.records[-1]


@pytest.mark.parametrize(
    "request_",
    [{"HTTP_HOST": "evil.example"}, {"CONTENT_TYPE": "text/plain; charset=hex"}],
    ids=["a host that is not allowed", "text that can't be read"],
)
@pytest.mark.django_db
def test_a_refusal_is_one_line(
    formatter: logging.Formatter,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    request_: dict[str, str],
) -> None:
    """Anybody can have a request refused, and would fill the disk with tracebacks."""
    record = refused(client, caplog, **request_)
    assert record.exc_info
    assert len(formatter.format(record).splitlines()) == 1
    assert record.exc_info, "Others, such as a tracker of errors, read the record too."


def test_an_error_has_its_traceback(formatter: logging.Formatter) -> None:
    """What nobody expected is logged in whole, also by the same logger."""
    error = record("x", ValueError("a"))
    error.name, error.status_code = "django.request", 500
    assert "ValueError: a" in formatter.format(error)
