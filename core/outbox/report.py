"""What a drain did: its task's result."""

from dataclasses import asdict, dataclass
from typing import Any

from core.models import OutboxCall


@dataclass
class Report:
    """How many calls a drain settled, put off and buried, and what it left."""

    settled: int = 0
    retried: int = 0
    dead: int = 0
    oldest_age: float | None = None
    """Seconds since the oldest call that is still due became so; None if there is none."""

    def add(self, other: "Report") -> None:
        """Count the other report's calls too."""
        self.settled += other.settled
        self.retried += other.retried
        self.dead += other.dead

    def count_failed(self, status: OutboxCall.Status) -> None:
        """Count a call that failed and was given this status."""
        if status == OutboxCall.Status.DEAD:
            self.dead += 1
        else:
            self.retried += 1

    @property
    def total(self) -> int:
        """How many calls were tried."""
        return self.settled + self.retried + self.dead

    def as_result(self) -> dict[str, Any]:
        """The report as a Celery task's result."""
        return asdict(self)
