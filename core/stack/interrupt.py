"""Ctrl-C, SIGTERM and SIGHUP, counted: the first asks to stop, the second not to wait for it."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

ONE_REQUEST = 1.0
"""Seconds within which the same signal again is the same request. If a whole process group is
signalled, we get two: our own, and the one that make passes on."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """The requests to stop so far, from the person at the screen or from the system."""

    def __init__(self) -> None:
        self.count = 0
        self._last = (0, float("-inf"))

    @property
    def requested(self) -> bool:
        """Return whether everything is to stop."""
        return self.count > 0

    @property
    def forced(self) -> bool:
        """Return whether everything is to stop at once, finished or not."""
        return self.count > 1

    def receive(self, signum: int, frame: FrameType | None) -> None:
        """Count one request. The code that waits looks at the count."""
        now, (before, when) = time.monotonic(), self._last
        self._last = (signum, now)
        if signum != before or now - when >= ONE_REQUEST:
            self.count += 1

    @staticmethod
    def _ignored(signum: signal.Signals) -> bool:
        """Return whether the signal was ignored before, as nohup does with SIGHUP."""
        return signum is signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN

    @contextmanager
    def listening(self) -> Generator[None, None, None]:
        """Receive the signals in the block, also where they were blocked. For the main thread."""
        wanted = [each for each in SIGNALS if not self._ignored(each)]
        before = {signum: signal.signal(signum, self.receive) for signum in wanted}
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for signum, handler in before.items():
                signal.signal(signum, handler)
