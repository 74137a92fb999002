"""Run the calls of one batch in the transaction that is open."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

from django.db import connections, transaction

from aftercommit.call import Call, CallError
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.expiry import Expired
from aftercommit.worker.request import start_links


class BatchOutcome(NamedTuple):
    """The calls that are done, and those that failed with their errors."""

    done: Sequence[Call]
    failed: Sequence[tuple[Call, Exception]]


class BatchRunner:
    """Runs a batch's calls: a batch task's function once, any other task's once for each call."""

    def __init__(self, state: DrainState) -> None:
        self._state = state
        self._runner = state.runner
        self._using = state.using
        # Off until a call fails: two more statements cost most calls as much as they do themselves.
        # On from the start where somebody listens, because a listener is to be told of a run once;
        # and where there is a soft time limit, because a call that hangs is not to hang twice.
        is_listened_to = self._runner.has_listeners or self._runner.tracer is not None
        self.uses_savepoints = is_listened_to or self._runner.limits.soft is not None
        """True while each call has a savepoint, so that its failure spoils no other call."""

    def run(self, calls: Sequence[Call]) -> BatchOutcome:
        """Run the calls. Raises what a call raises whose failure can't be told from the others'."""
        return self._run_together(calls) if self._state.options.batch else self._run_each(calls)

    def _run_together(self, calls: Sequence[Call]) -> BatchOutcome:
        readable, failed = self._read(calls)
        if readable:
            self._runner.run_batch(readable)
        asked = [(call, call.asked) for call in readable if call.asked]
        return BatchOutcome([call for call in readable if not call.asked], [*failed, *asked])

    def _read(self, calls: Sequence[Call]) -> tuple[list[Call], list[tuple[Call, Exception]]]:
        readable: list[Call] = []
        failed: list[tuple[Call, Exception]] = []
        for call in calls:
            try:
                self._runner.read(call)
            except (CallError, Expired) as error:
                failed.append((call, error))
            else:
                readable.append(call)
        return readable, failed

    def _run_each(self, calls: Sequence[Call]) -> BatchOutcome:
        done: list[Call] = []
        failed: list[tuple[Call, Exception]] = []
        for call in calls:
            try:
                with transaction.atomic(self._using) if self.uses_savepoints else nullcontext():
                    self._run_one(call)
            except Exception as error:
                if not self._can_go_on(error):
                    raise
                failed.append((call, error))
            else:
                if call.asked:
                    failed.append((call, call.asked))
                else:
                    done.append(call)
            if self._state.is_time_up():
                break  # The other calls stay as they are, for the next drain.
        return BatchOutcome(done, failed)

    def _can_go_on(self, error: Exception) -> bool:
        """Return whether the savepoint undid the call alone, so that the others can be settled."""
        if not self.uses_savepoints or is_transient(error):
            return False
        return connections[self._using].is_usable()

    def _run_one(self, call: Call) -> None:
        result = self._runner.run(call)
        if not call.asked:  # The run that ends the call starts them.
            start_links(call, result)
        if transaction.get_rollback(using=self._using):
            # Django would roll back without a word, and the call would count as done.
            raise transaction.TransactionManagementError(
                f"{call!r}: the function returned, but has its transaction roll back: by "
                "set_rollback(), by closing the connection, or by an error that it caught outside "
                "a block of its own. Put what may fail into transaction.atomic()."
            )
