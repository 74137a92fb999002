"""The processes that serve, which of their ends end the server, and what a signal does."""

import signal
import threading
from typing import Any

from granian.server.mp import MPServer

from core.serving import drain

PAUSE = 0.1
"""Seconds between two replacements. Processes that are all killed at once take little time so."""


class Server(MPServer):
    """Granian's server, which replaces a process however often somebody kills it.

    After SIGTERM it goes on serving for ``drains_for`` seconds, while the balancers' probe says
    that it stops. Any other signal to stop, and the second SIGTERM, ends that time.

    Granian stops when a process ends within 5.5 seconds of its start. That is right for one that
    can't start and ends by itself. One that a signal ended, such as the kernel's when memory is
    short, can serve: two requests that cost too much would otherwise end the whole site.
    """

    def __init__(self, *given: Any, drains_for: float = 0, **options: Any) -> None:
        super().__init__(*given, **options)
        self.drains_for = drains_for

    def signal_handler_interrupt(self, *given: Any) -> None:
        """Stop: at once, or once balancers have had the time to go elsewhere."""
        if self.drains_for and given[0] == signal.SIGTERM and not drain.has_begun():
            drain.begin()
            stop = threading.Timer(self.drains_for, self.stop_serving)
            stop.daemon = True  # the next signal may end this process before
            stop.start()
        else:
            self.stop_serving()

    def stop_serving(self) -> None:
        """Close the port, let running requests finish, and end."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _respawn_workers(
        self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = PAUSE
    ) -> None:
        killed = [number for number in workers if was_killed(self.wrks[number].inner.exitcode)]
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        for number in killed:
            self.respawned_wrks.pop(number, None)


def was_killed(exit_code: int | None) -> bool:
    """Return whether a signal ended the process with this exit code."""
    return exit_code is not None and exit_code < 0
