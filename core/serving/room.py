"""The disk space of requests that come slowly, and of answers that are taken slowly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.serving.limits import FILES_BYTES, IN_MEMORY, Busy

Reserve = Callable[[int], None]


class Room:
    """So much space for all of a process. It is used by the event loop's thread alone."""

    def __init__(self, free: int = FILES_BYTES) -> None:
        self.free = free

    @contextmanager
    def share(self) -> Iterator[Reserve]:
        """Yield a function that reserves space for so many bytes in all, until the block ends.

        What is kept in memory needs none, so there is always room for a small form and its answer.
        The function raises ``Busy``.
        """
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            more = max(size - IN_MEMORY, 0) - reserved
            if more > self.free:
                raise Busy
            self.free -= more
            reserved += more

        try:
            yield reserve
        finally:
            self.free += reserved
