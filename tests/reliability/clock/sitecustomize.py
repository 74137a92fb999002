"""Shifts the clock of the Python process that has this folder on its path, before all else.

``CLOCK_OFFSET`` is by how many seconds, or "jumps" for an hour ahead and an hour behind in turn.
"""

import datetime
import itertools
import os
import time
from typing import Any

_time = time.time
_datetime: Any = datetime.datetime

offsets = (
    itertools.cycle([3600.0, -3600.0])
    if os.environ["CLOCK_OFFSET"] == "jumps"
    else itertools.repeat(float(os.environ["CLOCK_OFFSET"]))
)


def shifted() -> float:
    """What ``time.time`` says."""
    return _time() + next(offsets)


class _Meta(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _datetime)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _datetime)


class _Shifted(_datetime, metaclass=_Meta):  # type: ignore[misc]
    """Makes ordinary datetimes, of the shifted time where it is asked for that of now."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _datetime.__new__(_datetime, *args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.fromtimestamp(shifted(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


time.time = shifted
time.time_ns = lambda: int(shifted() * 1e9)
datetime.datetime = _Shifted  # type: ignore[misc]
