"""Turns: contenders do the same alternately, in short turns, so that all meet the same noise."""

from dataclasses import dataclass
from typing import Any

from benchmarks.child import Child
from benchmarks.results import Samples
from benchmarks.servers import Servers


@dataclass(frozen=True)
class Condition:
    """What is called, and how often in a turn: so many times, or for so many seconds.

    ``least`` times in any case: the first calls after others had the processors are slow.
    """

    name: str
    method: str
    kwargs: dict[str, Any]
    times: int = 50
    seconds: float = 0.06
    least: int = 5
    warm_up: int = 3
    """How many calls are made first that don't count."""

    @property
    def call(self) -> dict[str, Any]:
        """As ``timing.time_calls`` takes it."""
        limits = {"times": self.times, "seconds": self.seconds, "least": self.least}
        return {"method": self.method, "kwargs": self.kwargs, **limits}


def take_turn(servers: Servers, child: Child, condition: Condition, samples: Samples) -> None:
    """Add one contender's time, CPU and bytes of WAL for each call under a condition."""
    if condition.warm_up:
        child.call(condition.method, condition.warm_up, **condition.kwargs)
    wal, cpu = servers.wal_bytes(), servers.database_cpu()
    turn = child.run("benchmarks.timing:time_calls_and_cpu", **condition.call)
    cpu, wal = servers.database_cpu() - cpu, servers.wal_bytes() - wal
    calls = len(turn["taken"])
    samples.add(child.name, condition.name, "ms", turn["taken"])
    samples.add(child.name, condition.name, "ms CPU", [turn["cpu"]])
    samples.add(child.name, condition.name, "ms database CPU", [cpu * 1000 / calls])
    samples.add(child.name, condition.name, "bytes of WAL", [wal / calls])
