"""Hold what the parts of one drain share: its task, its database, its time and its summary."""

import time
from dataclasses import dataclass, field
from typing import Any

from aftercommit.outbox.task_options import Options
from aftercommit.outbox.wake import wake_task
from aftercommit.worker.runner import Runner
from aftercommit.worker.summary import DrainSummary


@dataclass
class DrainState:
    """One drain of one task in one database, and what it did so far."""

    runner: Runner
    using: str
    seconds: float
    """The time that the drain has. A call that has begun is always finished."""

    summary: DrainSummary = field(default_factory=DrainSummary)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.task: Any = self.runner.task
        self.options: Options = self.runner.options

    def new_summary(self) -> DrainSummary:
        """Return an empty summary of this drain's kind, for what one transaction does."""
        return type(self.summary)()

    def is_time_up(self) -> bool:
        """Return whether the time is up, so that other tasks can run."""
        return time.monotonic() - self.started >= self.seconds

    def wake_others(self) -> None:
        """Have other workers take a share of the task's due calls."""
        wake_task(self.using, self.task.name)
