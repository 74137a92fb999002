"""The threads that make answers, in lanes: what is slow in one holds up nothing in another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

from core.serving.answer import Answer
from core.serving.limits import WAITING, WAITS_AT_MOST, Busy


class Lane:
    """Some threads, and a limit for what waits for them.

    A request that a thread has begun is waited for, however long it takes: it may change something.
    A lane that ``gives_up`` waits for none longer than its seconds.
    """

    def __init__(
        self, threads: int, seconds: float = WAITS_AT_MOST, *, gives_up: bool = False
    ) -> None:
        self.seconds, self.gives_up = seconds, gives_up
        self._pool = ThreadPoolExecutor(threads)  # a thread starts when there is work for it
        self._room = Semaphore(threads + WAITING)

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Return the answer that the work makes in a thread. Raises ``Busy``."""
        if not self._room.acquire(blocking=False):
            raise Busy
        made = self._pool.submit(work)
        made.add_done_callback(lambda _: self._room.release())
        answer = asyncio.wrap_future(made)
        done, _ = await asyncio.wait({answer}, timeout=self.seconds)
        if not done and (made.cancel() or self.gives_up):
            answer.add_done_callback(throw_away)
            raise Busy
        return await answer


def throw_away(answer: "asyncio.Future[Answer]") -> None:
    """Close an answer that nobody waits for any more."""
    if not answer.cancelled() and not answer.exception():
        answer.result().body.close()
