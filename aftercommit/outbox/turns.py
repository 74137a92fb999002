"""Turns: the last drain of each task that began, and the wake-ups that were sent since.

They are integers in Redis, by which processes agree that one wake-up is enough. Anything else that
is found there is read as "not known". So is everything while Redis doesn't answer. A wake-up is
sent then, because a needless one costs a message, and a missing one costs time.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain
from math import ceil
from typing import Any, NamedTuple

from django.core.signals import setting_changed
from django.dispatch import receiver

from aftercommit.conf import conf
from aftercommit.redis.cache import RedisCache, integer_cache

logger = logging.getLogger(__name__)

MAX_HOLD_SECONDS = 120
"""The longest time that an unanswered wake-up holds back another, however many there were."""

TOLERATED = 3
"""The number of wake-ups in a row that can stay unanswered before others are held back for longer.
A broker that fails over loses some in a row. After more of them, probably no worker reads the
queue."""

MAX_UNANSWERED = 16
"""The highest count of unanswered wake-ups. By then ``MAX_HOLD_SECONDS`` is reached."""

Target = tuple[str, str]
"""A database's alias and a task's name."""


class Turn(NamedTuple):
    """The last drain of a task that began, and the wake-ups sent since then."""

    begun: int = 0
    """When the drain began, in nanoseconds: the turn's name. 0 if not known."""

    woken: int | None = None
    """The drain that had begun last when a wake-up was last sent. None if that was long ago."""

    unanswered: int = 0
    """The number of wake-ups that were sent since the drain began, and that nobody answered."""

    is_old: bool = False
    """True if drains can have begun since the turn was read."""

    @property
    def is_woken(self) -> bool:
        """Return whether a wake-up is under way, so that another would do nothing."""
        return self.woken == self.begun


def read_turns(targets: Iterable[Target]) -> dict[Target, Turn]:
    """Return each task's turn. Asks Redis once, or not at all for no tasks."""
    keys = {target: _keys(target) for target in targets}
    found = _get([*chain.from_iterable(keys.values())])
    return {target: _turn(*map(found.get, names)) for target, names in keys.items()}


def begin_turn(using: str, task: str) -> None:
    """Have the wake-ups sent so far be overtaken by the drain that begins now, and allow the next.

    To be called before the drain looks what is due.
    """
    turn, _, _ = _keys((using, task))
    _set(turn, time.time_ns(), None)


def hold_back(using: str, task: str, turn: Turn) -> None:
    """Hold back other wake-ups, since one was sent in this turn.

    Until a drain begins, or for OUTBOX_WAKE_TTL seconds. Once ``TOLERATED`` wake-ups were not
    answered, each holds back for twice as long, so that a queue that nobody reads grows slowly.
    """
    _, flag, unanswered = _keys((using, task))
    if turn.woken is None:  # else a drain has begun since the last: it answered
        # Relative to the turn, so that the next turn begins without any.
        count = min(turn.unanswered + 1, MAX_UNANSWERED)
        _set(unanswered, turn.begun + count, 2 * hold_seconds(MAX_UNANSWERED))
    _set(flag, turn.begun, hold_seconds(turn.unanswered))


def hold_seconds(unanswered: int) -> float:
    """Return for how long a wake-up holds back others, after so many that nobody answered."""
    shortest = conf().WAKE_TTL
    longest = max(shortest, MAX_HOLD_SECONDS)
    return min(shortest * 2.0 ** max(unanswered - TOLERATED, 0), longest)


def _turn(begun: int | None, woken: int | None, unanswered: int | None) -> Turn:
    begun = begun or 0
    count = (unanswered or 0) - begun
    return Turn(begun, woken, count if 0 < count <= MAX_UNANSWERED else 0)


def _keys(target: Target) -> tuple[str, str, str]:
    using, task = target
    what = ("turn", "flag", "unanswered")
    turn, flag, unanswered = (f"outbox:{each}:{using}:{task}" for each in what)
    return turn, flag, unanswered


def _get(keys: list[str]) -> Mapping[str, int | None]:
    try:
        redis = _redis()
        return redis.get_many(keys) if redis and keys else {}
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("Not known which tasks have been woken: %s", error)
        return {}


def _set(key: str, value: int, seconds: float | None) -> None:
    try:
        if redis := _redis():
            redis.set(key, value, seconds and ceil(seconds))
    except Exception as error:  # noqa: BLE001  # see the module's text
        logger.debug("%s not set: %s", key, error)


@cache
def _redis() -> RedisCache | None:
    """Return the process's cache: one for all threads, since Django's would be one for each."""
    return integer_cache(conf().CACHE)


@receiver(setting_changed)
def setting_changed_forget_cache(setting: str, **kwargs: Any) -> None:
    """Forget the cache after a test has changed which one it is."""
    if setting in ("CACHES", "OUTBOX_CACHE"):
        _redis.cache_clear()
