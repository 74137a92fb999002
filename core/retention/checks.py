"""System checks of ``RETENTION_DAYS``."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register

from core.retention.days import EXPECTED, configured, is_valid
from core.retention.kinds import kinds


@register
def check_retention_days(**kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong in the setting, each with the name of its kind."""
    days = configured()
    return [*_unknown({*days} - {*kinds()}), *_missing({*kinds()} - {*days}), *_wrong(days)]


def _unknown(names: set[Any]) -> Iterator[CheckMessage]:
    for name in sorted(names, key=str):
        yield Error(
            f"RETENTION_DAYS names {name!r}, and nothing of this name expires.",
            hint=f"Expected {', '.join(sorted(kinds()))}.",
            id="retention.E001",
        )


def _missing(names: set[str]) -> Iterator[CheckMessage]:
    for name in sorted(names):
        yield Error(
            f"RETENTION_DAYS doesn't say how long {name!r} is kept.",
            hint=f"Give {EXPECTED}.",
            id="retention.E002",
        )


def _wrong(days: Any) -> Iterator[CheckMessage]:
    for name in days:
        if not is_valid(days[name]):
            yield Error(
                f"RETENTION_DAYS[{name!r}] is {days[name]!r}.",
                hint=f"Expected {EXPECTED}.",
                id="retention.E003",
            )
