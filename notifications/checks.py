"""System checks of the settings of mails."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register

from .digests import digest_seconds
from .limits import DEFAULTS, NOUNS, limit


@register
def check_limits(**kwargs: Any) -> list[CheckMessage]:
    """Return an error for each limit that is no whole number, or that can't be reached."""
    return [message for what in NOUNS for message in _check(what)]


@register
def check_digest_seconds(**kwargs: Any) -> list[CheckMessage]:
    """Return an error if the time in which comments are gathered is not a time."""
    seconds: Any = digest_seconds()
    if isinstance(seconds, int | float) and 0 <= seconds < float("inf"):
        return []
    return [
        Error(
            f"NOTIFICATIONS_DIGEST_SECONDS is {seconds!r}. Expected seconds, 0 or more.",
            hint="Set for example NOTIFICATIONS_DIGEST_SECONDS = 600.",
            id="notifications.E003",
        )
    ]


def _check(what: str) -> Iterator[CheckMessage]:
    names = {period: f"NOTIFICATIONS_{what}_PER_{period}".upper() for period in ("hour", "day")}
    given: dict[str, Any] = {name: limit(what, period) for period, name in names.items()}
    wrong = [name for name, value in given.items() if not _is_count(value)]
    for name in wrong:
        yield Error(
            f"{name} is {given[name]!r}. Expected a whole number above 0.",
            hint=f"Set for example {name} = {DEFAULTS[name]}.",
            id="notifications.E001",
        )
    hour, day = given.values()
    if not wrong and hour > day:
        yield Error(
            f"{names['hour']} is {hour}, more than {names['day']}, which is {day}.",
            hint="Lower the first or raise the second.",
            id="notifications.E002",
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
