"""System checks of the settings of mails."""

from typing import Any

import pytest

from notifications.checks import check_digest_seconds, check_limits


def test_defaults(settings: Any) -> None:
    """The site's own settings are right."""
    assert check_limits() + check_digest_seconds() == []


@pytest.mark.parametrize("value", [0, -1, 1.5, "10", None, True, float("inf")])
@pytest.mark.parametrize("what", ["ARTICLES", "COMMENTS", "MAILS"])
@pytest.mark.parametrize("period", ["HOUR", "DAY"])
def test_no_number(what: str, period: str, value: Any, settings: Any) -> None:
    """A limit that is no whole number above 0 is named, with what to set."""
    name = f"NOTIFICATIONS_{what}_PER_{period}"
    setattr(settings, name, value)
    (error,) = check_limits()
    assert error.id == "notifications.E001"
    assert error.msg == f"{name} is {value!r}. Expected a whole number above 0."
    assert f"{name} = " in str(error.hint)


def test_hour_above_day(settings: Any) -> None:
    """A limit of an hour that can't be reached is named too."""
    settings.NOTIFICATIONS_MAILS_PER_HOUR, settings.NOTIFICATIONS_MAILS_PER_DAY = 20, 10
    (error,) = check_limits()
    assert error.id == "notifications.E002"
    assert "NOTIFICATIONS_MAILS_PER_HOUR is 20, more than NOTIFICATIONS_MAILS_PER_DAY" in error.msg


@pytest.mark.parametrize("value", [-1, "600", None, float("nan"), float("inf")])
def test_no_seconds(value: Any, settings: Any) -> None:
    """A window that is no time is named."""
    settings.NOTIFICATIONS_DIGEST_SECONDS = value
    (error,) = check_digest_seconds()
    assert error.id == "notifications.E003"


@pytest.mark.parametrize("value", [0, 0.5, 600])
def test_seconds(value: float, settings: Any) -> None:
    """0 is allowed, and sends a mail for each comment."""
    settings.NOTIFICATIONS_DIGEST_SECONDS = value
    assert check_digest_seconds() == []
