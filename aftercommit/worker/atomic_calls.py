"""Settle calls whose effects are in the database: a batch in one transaction.

A batch that fails rolls back as one. Its calls then run again, each in a savepoint or alone, to
find the calls that failed.
"""

from aftercommit.call import Call
from aftercommit.worker.batch import Batch, journal_batch
from aftercommit.worker.batch_runner import BatchRunner
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.connections import drop_broken_connection, retry_transient
from aftercommit.worker.deferred_writes import write_or_defer
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.failures import settle_failure
from aftercommit.worker.rate_limits import RateLimit
from aftercommit.worker.results import written_together
from aftercommit.worker.settle import settle_done
from aftercommit.worker.summary import DrainSummary
from aftercommit.worker.task_events import send_success
from aftercommit.worker.transactions import settling_transaction


class AtomicCalls:
    """The due calls of a task with effects in the database, for one drain."""

    def __init__(self, state: DrainState) -> None:
        self._state = state
        self._batch_runner = BatchRunner(state)
        self.rate = RateLimit(state.task)
        self._tried: dict[int, Call] = {}
        """The calls of the batch that runs, by id, with what they asked for in their last run."""

    def settle_next(self) -> bool:
        """Settle one batch; return whether there may be more calls that are due.

        Calls that commit after the claim have a wake-up of their own: the turn began before.
        """
        if not self.rate.wait_for_slot():
            return False
        batch = self._claim()
        if batch is None:
            self.rate.return_slot()
            return False
        if batch.more:
            self._state.wake_others()
        self._settle(batch)
        return batch.more

    def _claim(self) -> Batch | None:
        state = self._state
        size = 1 if self.rate.is_limited else state.options.batch_size
        return retry_transient(state.using, lambda: claim_batch(state.using, state.task.name, size))

    def _settle(self, batch: Batch) -> None:
        """Settle the batch together; if that fails, so that each call has its own outcome."""
        try:
            try:
                self._settle_together(batch)
            except Exception as error:  # noqa: BLE001  # Whatever is raised is the calls' outcome.
                self._settle_failed(batch, error)
            self._tried = {}
        except (Exception, KeyboardInterrupt):
            # Without a database, and interrupted by a person, the process has not crashed. A call
            # that exits has crashed, as one that is killed: SystemExit leaves the journal.
            write_or_defer(batch)
            raise

    def _settle_together(self, batch: Batch) -> None:
        """Settle the batch in one transaction; with savepoints if it fails without them."""
        using = self._state.using
        try:
            summary = retry_transient(using, lambda: self._run_in_transaction(batch))
        except Exception:
            if not self._can_use_savepoints(batch):
                raise
            self._batch_runner.uses_savepoints = True
            drop_broken_connection(using)
            self._settle_together(batch)
        else:
            self._state.summary.add(summary)

    def _can_use_savepoints(self, batch: Batch) -> bool:
        """Return whether savepoints, off until now, could tell the failed call from the others."""
        has_one_run = self._state.options.batch or len(batch.ids) == 1
        return not has_one_run and not self._batch_runner.uses_savepoints

    def _run_in_transaction(self, batch: Batch) -> DrainSummary:
        state, summary = self._state, self._state.new_summary()
        with settling_transaction(state.using, state.task.name):
            calls = batch.lock()
            self._tried = {call.pk: call for call in calls}
            with written_together(state.runner.task):
                done, failed = self._batch_runner.run(calls)
            summary.settled = settle_done(state.using, done)
            send_success(state.runner, done)
            for call, error in failed:
                settle_failure(state.runner, summary, call, error)
        return summary

    def _settle_failed(self, batch: Batch, error: Exception) -> None:
        """Record the error of a batch of one. Of a larger batch, run each call alone."""
        drop_broken_connection(self._state.using)
        if len(batch.ids) == 1:
            self._record(batch, error)
            return
        write_or_defer(batch)
        for pk in batch.ids:
            self._settle(journal_batch(self._state.using, self._state.task.name, [pk]))
            if self._state.is_time_up():
                break

    def _record(self, batch: Batch, error: Exception) -> None:
        state = self._state
        with settling_transaction(state.using, state.task.name):
            for call in batch.lock():
                tried = self._tried.get(call.pk, call)
                settle_failure(state.runner, state.summary, tried, error)
