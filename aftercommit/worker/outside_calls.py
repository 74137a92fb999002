"""Run calls with effects outside the database, one by one, each under its lease.

The commit that marks a call as done also leases the next one. A call whose end needs more than the
deletion of its row (an error, a result, a link) is marked in a transaction of its own.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connections, transaction

from aftercommit.call import Call
from aftercommit.db.vendors import outbox_ops
from aftercommit.worker.connections import retry_transient
from aftercommit.worker.deferred_writes import write_or_defer
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.failures import settle_failure
from aftercommit.worker.idle import idle_seconds
from aftercommit.worker.lease import Ended, Lease, Taken, take_back_attempt
from aftercommit.worker.loading import rows_of
from aftercommit.worker.rate_limits import RateLimit
from aftercommit.worker.request import start_links
from aftercommit.worker.task_events import send_success
from aftercommit.worker.transactions import can_commit, settling_transaction

logger = logging.getLogger(__name__)

WAKE_INTERVAL = 0.1
"""Seconds between two wake-ups for other workers. To ask whether a wake-up is under way costs a
tenth of what a mail costs, so that it is not done for each call."""


class OutsideCalls:
    """The due calls of a task with ``atomic=False``, for one drain."""

    def __init__(self, state: DrainState) -> None:
        self._state = state
        self._rate = RateLimit(state.task)
        self._woke_at = -math.inf

    def settle_next(self) -> bool:
        """Run calls as long as each can be marked with the next lease.

        Return whether there may be more that are due.
        """
        if not self._rate.wait_for_slot():
            return False
        call, more = self._lease()
        if call is None:
            self._rate.return_slot()
        while call is not None:
            error, result = self._run(call)
            store_result = self._state.runner.take_result_writer()
            if error or store_result or self._state.is_time_up() or self._is_marked_alone(call):
                mark = partial(self._mark, result, store_result)
                self._mark_alone(Ended(call, error, mark))
                return more
            call, more = self._lease(done=call)
        return False

    def _lease(self, done: Call | None = None) -> Taken:
        """Lease the next call and, with the same commit, mark ``done``, the call before it."""
        state = self._state
        lease = Lease(state.using, state.task.name, state.options.lease, done)
        try:
            call, more = retry_transient(state.using, lease.take)
        except BaseException:
            write_or_defer(lease)
            raise
        if done is not None:
            state.summary.settled += 1
            send_success(state.runner, [done])
        if more:
            self._wake_others()
        return call, more

    def _wake_others(self) -> None:
        now = time.monotonic()
        if now - self._woke_at >= WAKE_INTERVAL:
            self._woke_at = now
            self._state.wake_others()

    def _run(self, call: Call) -> tuple[Exception | None, Any]:
        try:
            result = self._state.runner.run(call)
        except Exception as error:  # noqa: BLE001  # Whatever is raised is the call's outcome.
            return error, None
        return call.asked, result

    def _is_marked_alone(self, call: Call) -> bool:
        """Return whether the next call can't be leased with the commit that marks this one."""
        return bool(call.options.get("link")) or self._rate.is_limited

    def _mark_alone(self, ended: Ended) -> None:
        """Mark how the call ended, now or, without a database, as soon as there is one.

        The end is known: a connection that breaks here must not make the call uncertain.
        """
        try:
            retry_transient(self._state.using, ended.finish)
        except BaseException:
            ended.keep()
            raise

    def _mark(
        self,
        result: Any,
        store_result: Callable[[], None] | None,
        call: Call,
        error: BaseException | None,
    ) -> None:
        state, summary = self._state, self._state.new_summary()
        with settling_transaction(state.using, state.task.name):
            outbox_ops(connections[state.using]).limit_idle(idle_seconds(call.task))
            if error is not None:
                take_back_attempt(call)
                settle_failure(state.runner, summary, call, error)
            elif rows_of(call)._raw_delete(state.using):
                if store_result:
                    store_result()
                self._start_links(call, result)
                summary.settled = 1
                send_success(state.runner, [call])
        # Only what was committed is counted.
        state.summary.add(summary)

    def _start_links(self, call: Call, result: Any) -> None:
        """Have what is linked to the call started; raise only if the database is away.

        No other error is worth a second effect.
        """
        try:
            with transaction.atomic(using=self._state.using):
                start_links(call, result)
        except Exception:
            if not can_commit(self._state.using):
                raise
            logger.exception("%s[%s]: what is linked to it is not called", call.task, call.id)
