"""The report of a test's drain, and the errors that its calls raised."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from celery.exceptions import Retry

from aftercommit.call import Call
from aftercommit.contrib.testing.made_calls import write_call
from aftercommit.models import OutboxCall
from aftercommit.worker.outcome import Outcome
from aftercommit.worker.summary import DrainSummary


@dataclass(frozen=True)
class FailedCall:
    """A call that failed, and is a dead letter or waits to be tried again."""

    call: Call
    error: Exception
    status: OutboxCall.Status

    def __str__(self) -> str:
        args, kwargs = getattr(self.call, "args", ()), getattr(self.call, "kwargs", {})
        is_dead = self.status == OutboxCall.Status.DEAD
        fate = "is a dead letter now" if is_dead else "waits to be tried again"
        return f"{write_call(self.call.task, args, kwargs)} [{self.call}] {fate}"


@dataclass(frozen=True)
class Report:
    """The numbers of a drain, and the calls that failed and didn't succeed later in it."""

    done: int
    retried: int
    """The number of attempts that failed, and after which the call was to be tried again."""

    dead: int
    expired: int
    failures: Sequence[FailedCall]

    def raise_errors(self) -> None:
        """Raise the error of the call that failed, or an ExceptionGroup of several."""
        errors = [failed.error for failed in self.failures]
        for failed in self.failures:
            failed.error.add_note(f"Raised by the call {failed}.")
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} calls failed", errors)


@dataclass
class KeepingSummary(DrainSummary):
    """A summary that keeps the last error of each call."""

    last: dict[tuple[str, int], FailedCall] = field(default_factory=dict)

    def add(self, other: DrainSummary) -> None:
        """Add the other summary's numbers and errors."""
        super().add(other)
        self.last.update(getattr(other, "last", {}))

    def count_failed(self, outcome: Outcome, call: Call, error: BaseException) -> None:
        """Count a call that failed, and keep its error."""
        super().count_failed(outcome, call, error)
        self.last.pop((call.using, call.pk), None)  # the last to fail comes last
        raised = error.exc if isinstance(error, Retry) else error
        if isinstance(raised, Exception):  # self.retry() without an error is a wish
            self.last[call.using, call.pk] = FailedCall(call, raised, outcome.status)

    def report(self) -> Report:
        """Return the numbers, with the errors of the calls that are still in the outbox."""
        failures = [failed for failed in self.last.values() if _is_left(failed.call)]
        return Report(self.settled, self.retried, self.dead, self.expired, failures)


def _is_left(call: Call) -> bool:
    return OutboxCall.objects.using(call.using).filter(pk=call.pk).exists()
