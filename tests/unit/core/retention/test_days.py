"""``RETENTION_DAYS``, from the environment to the checks."""

from typing import Any

import pytest
from django.conf import settings as configured
from django.core.exceptions import ImproperlyConfigured

from core.retention.checks import check_retention_days
from core.retention.days import read_days
from core.retention.kinds import Kind, kinds, register_kind


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", {}),
        ("audit=730", {"audit": 730}),
        (" audit = 730 , deliveries=never, ", {"audit": 730, "deliveries": None}),
    ],
)
def test_read(text: str, days: dict[str, int | None]) -> None:
    """The variable names kinds and days."""
    assert read_days(text) == days


@pytest.mark.parametrize("text", ["audit", "audit=", "audit=1.5", "audit=-1", "audit=forever", "7"])
def test_fail_read(text: str) -> None:
    """Anything else is refused, with what was given and what was expected."""
    with pytest.raises(ImproperlyConfigured, match=f"'{text}' can't be read. Expected the name"):
        read_days(f"deliveries=3,{text}")


def test_fail_twice() -> None:
    """A kind with two numbers of days is refused, since nobody can know which is meant."""
    with pytest.raises(ImproperlyConfigured, match=r"names 'audit' twice\. Expected it once\."):
        read_days("audit=3, results=1, audit=730")


def test_checked() -> None:
    """The site's own setting names every kind, and nothing else."""
    assert check_retention_days() == []


@pytest.mark.parametrize("days", [0, -1, 36_501, True, 1.5, "30", float("nan"), [], 10**30])
def test_fail_days(settings: Any, days: Any) -> None:
    """What is no number of days is refused by a check."""
    settings.RETENTION_DAYS = {**configured.RETENTION_DAYS, "audit": days}
    (error,) = check_retention_days()
    assert (error.id, error.msg) == ("retention.E003", f"RETENTION_DAYS['audit'] is {days!r}.")
    assert error.hint == (
        "Expected a whole number of days from 1 to 36500, or None to keep the rows for ever."
    )


def test_fail_names(settings: Any) -> None:
    """So is a kind that doesn't exist, and one that is left out."""
    days = {**configured.RETENTION_DAYS, "audits": 3}
    del days["audit"]
    settings.RETENTION_DAYS = days
    unknown, missing = check_retention_days()
    assert (unknown.id, missing.id) == ("retention.E001", "retention.E002")
    assert unknown.msg == "RETENTION_DAYS names 'audits', and nothing of this name expires."
    assert "audit," in str(unknown.hint)
    assert missing.msg == "RETENTION_DAYS doesn't say how long 'audit' is kept."


def test_longest(settings: Any) -> None:
    """The most days and the fewest are taken."""
    for days in (1, 36_500, None):
        settings.RETENTION_DAYS = dict.fromkeys(kinds(), days)
        assert check_retention_days() == []


def test_fail_same_name() -> None:
    """Two kinds can't have one name."""
    taken: Kind = kinds()["audit"]
    with pytest.raises(ValueError, match="There is a kind 'audit' already"):
        register_kind(taken)
