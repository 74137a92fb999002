"""Counters that all processes of the site share: how often something was done in a while.

They are integers in Redis. Nothing that is found there is trusted: what is no count is read as
none, and a count that would stay for longer than its while ends with it. While Redis doesn't
answer, each process counts for itself. So an outage neither fails a request nor lifts a limit.
"""

import logging
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.core.signals import setting_changed
from django.dispatch import receiver
from redis.exceptions import RedisError

from aftercommit.redis.cache import integer_cache

from .own_counts import Full, OwnCounts, Window

ALIAS = "counters"
"""The alias of CACHES. It has shorter time limits than the others, since a request waits for it."""

PAUSE_SECONDS = 10
"""How long Redis is not asked after it failed. Each request would wait for its time limit."""

SCRIPT = """
local function read(key)
    local value = redis.pcall('GET', key)
    if type(value) == 'string' and #value < 10 and string.match(value, '^%d+$') then
        return tonumber(value)
    end
    redis.call('DEL', key)
    return 0
end
local counts = {}
for i, key in ipairs(KEYS) do
    local amount, seconds = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    counts[i] = read(key)
    local left = redis.call('TTL', key)
    if counts[i] > 0 and (left < 0 or left > seconds) then
        redis.call('EXPIRE', key, seconds)
        left = seconds
    end
    if counts[i] >= amount then return {i, left} end
end
for i, key in ipairs(KEYS) do
    if counts[i] == 0 then
        redis.call('SET', key, 1, 'EX', ARGV[2 * i])
    else
        redis.call('INCR', key)
    end
end
return {0, 0}
"""
"""Count under all keys, or under none if one of them is full. Redis runs it as one step, so that
requests at the same moment don't all find the last place free."""

logger = logging.getLogger(__name__)


def take(windows: Sequence[Window]) -> Full | None:
    """Take a place in each window, or none in any if one is full, which is returned.

    Costs one round trip. Never raises.
    """
    if not windows:
        return None
    try:
        return _take_in_redis(windows)
    except (RedisError, OSError, ValueError) as error:
        outage.begin(error)
        return own.take(windows)


def _take_in_redis(windows: Sequence[Window]) -> Full | None:
    if outage.lasts() or (script := _script()) is None:
        return own.take(windows)
    limits = [number for window in windows for number in (window.amount, window.seconds)]
    index, seconds = map(int, script([window.key for window in windows], limits))
    return Full(index - 1, max(seconds, 1)) if index else None


@cache
def _script() -> Any:
    """Return the script on its server, or None if the alias of CACHES is no Redis."""
    redis: Any = integer_cache(ALIAS)
    if redis is None:
        logger.warning(
            "There is no Redis, so each process counts limits for itself. A limit is as many times "
            "as high as there are processes. Set REDIS_URL to have one count for all."
        )
    return redis and redis._cache.get_client(write=True).register_script(SCRIPT)


@receiver(setting_changed)
def setting_changed_forget_server(setting: str, **kwargs: Any) -> None:
    """Forget the server after a test has changed which one it is."""
    if setting == "CACHES":
        _script.cache_clear()
        outage.end()


class Outage:
    """Whether Redis has just failed."""

    def __init__(self) -> None:
        self._until = 0.0

    def lasts(self) -> bool:
        """Return whether Redis is not to be asked yet."""
        return time.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        """Ask Redis no more for a while, and log why."""
        self._until = time.monotonic() + PAUSE_SECONDS
        logger.warning(
            "Redis failed, and limits are counted by each process for itself for %s s: %s",
            PAUSE_SECONDS,
            error,
        )

    def end(self) -> None:
        """Ask Redis again."""
        self._until = 0.0


outage = Outage()
own = OwnCounts()
