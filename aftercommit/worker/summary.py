"""Count what a drain did. The summary is the result of the drain's task."""

from dataclasses import asdict, dataclass, field
from typing import Any

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.worker.outcome import Outcome

MAX_FAILURES = 20
"""The number of failures at most that a summary names."""


@dataclass
class DrainSummary:
    """The numbers of calls that a drain settled, retried and buried, and what it left."""

    settled: int = 0
    retried: int = 0
    dead: int = 0
    expired: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """The last failure of each call that failed, up to ``MAX_FAILURES`` calls."""

    oldest_age: float | None = None
    """Seconds since the oldest call that is still due became due. None if no call is due."""

    def add(self, other: "DrainSummary") -> None:
        """Add the other summary's numbers and failures."""
        self.settled += other.settled
        self.retried += other.retried
        self.dead += other.dead
        self.expired += other.expired
        for call, failure in other.failures.items():
            self._keep_failure(call, failure)

    def count_failed(self, outcome: Outcome, call: Call, error: BaseException) -> None:
        """Count a call that failed with this error and has this outcome."""
        self._keep_failure(f"{call.task}[{call}]", f"{outcome.status}: {outcome.summary}")
        if outcome.status == OutboxCall.Status.DEAD:
            self.dead += 1
        else:
            self.retried += 1

    def _keep_failure(self, call: str, failure: str) -> None:
        if call in self.failures or len(self.failures) < MAX_FAILURES:
            self.failures[call] = failure

    @property
    def ended(self) -> int:
        """Return how many calls are not to be tried again."""
        return self.settled + self.dead + self.expired

    @property
    def total(self) -> int:
        """Return how many calls were tried."""
        return self.ended + self.retried

    def as_result(self) -> dict[str, Any]:
        """Return the numbers that are not 0, as a Celery task's result.

        The failures are left out, because the log has a line for each.
        """
        return {name: value for name, value in asdict(self).items() if value and name != "failures"}
