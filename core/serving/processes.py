"""The processes that serve, and which of their ends end the server."""

from typing import Any

from granian.server.mp import MPServer

PAUSE = 0.1
"""Seconds between two replacements. Processes that are all killed at once take little time so."""


class Server(MPServer):
    """Granian's server, which replaces a process however often somebody kills it.

    Granian stops when a process ends within 5.5 seconds of its start. That is right for one that
    can't start and ends by itself. One that a signal ended, such as the kernel's when memory is
    short, can serve: two requests that cost too much would otherwise end the whole site.
    """

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
