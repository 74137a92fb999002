"""The outbox of one test: its calls, assertions about them, and the drain that runs them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async

from aftercommit.contrib.testing.assertions import Assertions
from aftercommit.contrib.testing.made_calls import Calls
from aftercommit.contrib.testing.recorder import Recorder
from aftercommit.contrib.testing.report import Report
from aftercommit.contrib.testing.worker import Worker
from aftercommit.outbox.wake import without_wake_ups
from aftercommit.outbox.watchers import watchers

LONGEST = timedelta(days=36_500)
"""The longest time that a drain lets pass. All databases can store what is so long ago."""


class Outbox(Assertions):
    """The calls of one test, of all its threads and databases."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._passed = timedelta()
        """The time that drains have let pass."""

    @property
    def calls(self) -> Calls:
        """Return the calls that this test has handed over so far, settled ones too.

        Calls whose savepoint or transaction rolled back are not among them.
        """
        return self._recorder.handed_over

    @property
    def undone(self) -> Calls:
        """Return the calls of this test that a rollback has undone."""
        return self._recorder.undone

    def clear(self) -> None:
        """Forget the calls so far, such as those of factories. Those that wait still run."""
        self._recorder.forget()

    def drain(
        self,
        *,
        later: bool = False,
        until: timedelta | datetime | None = None,
        raise_errors: bool = True,
    ) -> Report:
        """Run the calls that are due, and those that these calls make, as a worker does.

        With ``later`` run also all that is due later, retries too, each at its time. With ``until``
        run what is due within a time or up to a time, and let that time pass for the outbox. No
        call waits for its time: the outbox's clock is moved.

        Raises the error of a call that failed, or an ExceptionGroup of several, unless the call
        succeeded when it was tried again. With ``raise_errors=False`` the report has the errors.
        Raises TypeError or ValueError for a time that can't pass, TransactionManagementError inside
        ``transaction.atomic()``, RuntimeError with CELERY_TASK_ALWAYS_EAGER, and EndlessCalls if
        the calls never end.
        """
        limit = self._limit(later, until)
        worker = Worker()
        worker.run(limit)
        self._passed += worker.passed
        report = worker.summary.report()
        if raise_errors:
            report.raise_errors()
        return report

    async def adrain(self, **options: Any) -> Report:
        """Do what ``drain`` does, from a coroutine."""
        return await sync_to_async(self.drain)(**options)

    def _limit(self, later: bool, until: timedelta | datetime | None) -> timedelta | None:
        if later and until is not None:
            raise TypeError(f"drain(later=True, until={until!r}): give one of the two.")
        if isinstance(until, datetime):
            if until.tzinfo is None:
                raise TypeError(f"drain(until={until!r}) has no time zone. Give an aware datetime.")
            until = max(until - datetime.now(UTC) - self._passed, timedelta())
        if not isinstance(until, timedelta | None):
            raise TypeError(f"drain(until={until!r}): expected a timedelta or an aware datetime.")
        if until is not None and not timedelta() <= until <= LONGEST:
            raise ValueError(
                f"drain(until={until!r}): expected 0 to {LONGEST.days:,} days from now."
            )
        return None if later else until or timedelta()


@contextmanager
def watch_outbox() -> Iterator[Outbox]:
    """Return the outbox of the test that runs in this block.

    No wake-up is sent to the broker in the block.
    """
    recorder = Recorder()
    with suppress(RuntimeError):  # pytest-django's, for a test without a database
        recorder.see_earlier()
    watchers.append(recorder)
    try:
        with without_wake_ups():
            yield Outbox(recorder)
    finally:
        watchers.remove(recorder)
