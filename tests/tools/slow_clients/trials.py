"""The attacks, one after the other and together."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.tools.slow_clients.crowd import (
    Crowd,
    besieged,
    dripping_heads,
    non_readers,
    slow_bodies,
)
from tests.tools.slow_clients.visitors import Visits, visited

LARGE = "/static/admin/js/vendor/xregexp/xregexp.js"
"""A file of 325 kB, which every site with Django's admin has. So 22 of them are 7 MB."""


@dataclass(frozen=True)
class Trial:
    """What was tried, and how the visitors were served meanwhile."""

    crowds: Sequence[Crowd]
    visits: Sequence[Visits]

    @property
    def withstood(self) -> bool:
        """Return whether each visitor had an answer each time."""
        return all(each.seconds and not each.failures for each in self.visits)

    def __str__(self) -> str:
        crowds = ", ".join(f"{crowd.count} {crowd.name}" for crowd in self.crowds)
        lines = [f"{'held' if self.withstood else 'FELL'}: {crowds}", *map(str, self.visits)]
        return "\n    ".join(lines)


def try_slow_clients(
    port: int,
    *,
    seconds: float = 8,
    times: int = 1,
    paths: Sequence[str] = ("/healthz", "/"),
    large: str = LARGE,
    at_once: int = 22,
) -> Iterator[Trial]:
    """Yield each attack on a site of this machine: heads, bodies, large pages, and all together.

    ``times`` multiplies the clients. They ask for ``at_once`` of the large pages.
    """
    crowds = [
        dripping_heads(30 * times),
        non_readers(12 * times, large, at_once),
        slow_bodies(10 * times),
    ]
    for each in [*([crowd] for crowd in crowds), crowds]:
        yield attack(port, each, paths, seconds)


def attack(port: int, crowds: Sequence[Crowd], paths: Sequence[str], seconds: float) -> Trial:
    """Return how visitors are served for so long, once the crowds are there."""
    with besieged(port, *crowds), visited(port, paths) as visits:
        time.sleep(seconds)
    return Trial(crowds, visits)
