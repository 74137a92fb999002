"""What a drain did: its task's result."""

from dataclasses import asdict, dataclass, field
from typing import Any

from aftercommit.models import OutboxCall
from aftercommit.outbox.call import Call
from aftercommit.worker.texts import one_line

SHOWN = 20
"""How many failures a report names."""


@dataclass
class Report:
    """How many calls a drain settled, put off and buried, and what it left."""

    settled: int = 0
    retried: int = 0
    dead: int = 0
    expired: int = 0
    failures: list[str] = field(default_factory=list)
    """A line for each call that failed, up to ``SHOWN``."""

    oldest_age: float | None = None
    """Seconds since the oldest call that is still due became so; None if there is none."""

    def add(self, other: "Report") -> None:
        """Count the other report's calls too."""
        self.settled += other.settled
        self.retried += other.retried
        self.dead += other.dead
        self.expired += other.expired
        self.failures += other.failures[: SHOWN - len(self.failures)]

    def count_failed(self, status: OutboxCall.Status, call: Call, error: BaseException) -> None:
        """Count a call that failed with this error and was given this status."""
        if len(self.failures) < SHOWN:
            self.failures.append(f"{call.task}[{call}] {status}: {one_line(error)}")
        if status == OutboxCall.Status.DEAD:
            self.dead += 1
        else:
            self.retried += 1

    @property
    def ended(self) -> int:
        """Return how many calls are not to be tried again."""
        return self.settled + self.dead + self.expired

    @property
    def total(self) -> int:
        """Return how many calls were tried."""
        return self.ended + self.retried

    def as_result(self) -> dict[str, Any]:
        """Return what there is to tell, as a Celery task's result.

        The failures are left out: each has a line of its own in the log.
        """
        return {name: value for name, value in asdict(self).items() if value and name != "failures"}
