"""Limits for a test. The tests' settings lift all of them, since a test is faster than a person."""

from pytest_django import Settings

from core.front import counters
from core.front.own_counts import OwnCounts
from core.front.rates import DEFAULTS, read_throttles


def limit(settings: Settings, **rates: str) -> None:
    """Set these rates alone, and begin to count anew: ``limit(settings, comment="2/1m/user")``."""
    settings.THROTTLES = read_throttles("", dict.fromkeys(DEFAULTS, "off") | rates)
    forget_counts()


def forget_counts() -> None:
    """Delete all counts, those of this process too, and have Redis asked again."""
    counters.own, counters.outage = OwnCounts(), counters.Outage()
    redis = counters._script().registered_client
    for key in redis.scan_iter("aftercommit:throttle:*"):
        redis.delete(key)
