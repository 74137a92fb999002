"""The setting ``RETENTION_DAYS``: after how many days each kind of row ends."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

LONGEST = 36_500
"""Days. A database's times don't reach back without end."""

EXPECTED = f"a whole number of days from 1 to {LONGEST}, or None to keep the rows for ever"


def read_days(text: str) -> dict[str, int | None]:
    """Return the days by kind of ``"audit=730, deliveries=never"``.

    Raises ImproperlyConfigured if the text has another form, or names a kind twice.
    """
    pairs = [_read(part.strip()) for part in text.split(",") if part.strip()]
    kinds = [kind for kind, _ in pairs]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ImproperlyConfigured(f"RETENTION_DAYS names {kind!r} twice. Expected it once.")
    return dict(pairs)


def configured() -> Mapping[str, Any]:
    """Return the setting."""
    days: Mapping[str, Any] = getattr(settings, "RETENTION_DAYS", {})
    return days


def is_valid(days: Any) -> bool:
    """Return whether ``days`` can be the value of a kind."""
    return days is None or (type(days) is int and 0 < days <= LONGEST)


def days_of(kind: str) -> int | None:
    """Return after how many days rows of the kind end. Return None if they never do.

    Raises ImproperlyConfigured if the setting doesn't say it.
    """
    days = configured().get(kind, "nothing")
    if not is_valid(days):
        raise ImproperlyConfigured(f"RETENTION_DAYS[{kind!r}] is {days!r}. Expected {EXPECTED}.")
    return days  # type: ignore[no-any-return]  # is_valid looked at it


def _read(part: str) -> tuple[str, int | None]:
    kind, separator, days = (each.strip() for each in part.partition("="))
    if separator and days == "never":
        return kind, None
    if separator and days.isascii() and days.isdecimal() and len(days) < 10:
        return kind, int(days)
    raise ImproperlyConfigured(
        f"RETENTION_DAYS: {part!r} can't be read. Expected the name of a kind, '=' and a number "
        "of days or 'never': RETENTION_DAYS=audit=730,deliveries=never"
    )
