"""A producer of the app's pool, for a block that waits for nothing without a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

SEND_SECONDS = 5
"""The longest wait for one answer of the broker, and for its network to take what is sent."""

_limit: ContextVar[float | None] = ContextVar("aftercommit_send_limit", default=None)


def current_limit() -> float | None:
    """Return the seconds that the current block waits for the broker at most, or None."""
    return _limit.get()


@contextmanager
def limited_producer(app: Any) -> Iterator[Any]:
    """Lend the block a producer, with which no wait takes longer than SEND_SECONDS.

    Raises LimitExceeded if all connections are in use as long, by requests that hang in ``delay()``
    for example. The limit is the block's: others wait without one at the same connection later.
    """
    token = _limit.set(SEND_SECONDS)
    try:
        # The pool of producers waits for a connection without a limit.
        with app.pool.acquire(block=True, timeout=SEND_SECONDS) as connection:
            yield app.amqp.Producer(connection)
    finally:
        _limit.reset(token)
