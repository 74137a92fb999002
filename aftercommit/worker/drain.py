"""Draining: one run of a task claims its calls, runs them and settles them, until none is due."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)
from django.utils.module_loading import autodiscover_modules

from aftercommit.conf import conf
from aftercommit.db.answers import Position
from aftercommit.outbox.call import Call, CallError
from aftercommit.outbox.calling import start_links
from aftercommit.outbox.task import find_task
from aftercommit.outbox.turns import begin_turn
from aftercommit.outbox.wake import wake_task
from aftercommit.worker import deferred_writes, sweep
from aftercommit.worker.claim import Batch, claim_batch, journal_batch
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.failures import report_expired, report_failure
from aftercommit.worker.lease import Ended, Lease, Taken, take_back_attempt
from aftercommit.worker.loading import rows_of
from aftercommit.worker.rate_limits import has_rate_limit, wait_for_rate
from aftercommit.worker.runner import Expired, Runner
from aftercommit.worker.settle import settle_done, settle_failed
from aftercommit.worker.statement import settle_by_statement, takes_statements
from aftercommit.worker.summary import DrainSummary
from aftercommit.worker.task_events import send_success

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a step is tried at once when the database fails."""

SPREAD = 0.1
"""Seconds before a drain that runs its calls one by one wakes others again. To ask whether a
wake-up is under way costs as much as a tenth of a mail."""

IDLE_ROUNDS = 25
"""How many rounds in a row ``drain_all`` goes on in which no call ends. A call that retries itself
at once, without a limit, would keep it for ever."""

Value = TypeVar("Value")


@dataclass
class Drain:
    """One drain of one task in one database, and what it did so far."""

    runner: Runner
    using: str
    seconds: float
    report: DrainSummary = field(default_factory=DrainSummary)
    started: float = field(default_factory=time.monotonic)
    guarded: bool = field(init=False)
    """Whether each call of a batch has a savepoint, as it has once one failed. Two statements more
    cost most calls as much as what they do."""
    spread: float = field(init=False, default=-math.inf)
    """When it last woke others to run what is due beside the call that it leased."""
    reached: Position | None = field(init=False, default=None)
    """After which call the task's statement looks for the next."""
    tried: dict[int, Call] = field(init=False, default_factory=dict)
    """The calls of the batch that runs, with what became of their last run."""

    def __post_init__(self) -> None:
        self.task, self.options = self.runner.task, self.runner.options
        # Whoever watches is told of each run. And a call that hangs is not to hang twice.
        watched = self.runner.watched or self.runner.traced is not None
        self.guarded = watched or self.runner.limits.soft is not None

    def run(self) -> DrainSummary:
        """Drain until nothing is due or the time is up."""
        self._reconnect()
        deferred_writes.write_deferred()
        begin_turn(self.using, self.task.name)
        step = self._step()
        while step() and not self.is_time_up():
            pass
        if self.is_time_up():
            wake_task(self.using, self.task.name)
            self.report.oldest_age = sweep.oldest_age(self.using, self.task.name)
        return self.report

    def _step(self) -> Callable[[], bool]:
        if not self.options.atomic:
            return self.run_leased
        by_statement = self.options.sql and takes_statements(self.using)
        return self.run_statement if by_statement else self.run_batch

    def is_time_up(self) -> bool:
        """Whether other tasks should have their turn."""
        return time.monotonic() - self.started >= self.seconds

    def run_statement(self) -> bool:
        """Settle one batch by the task's statement, or as any other if it fails; as run_batch."""
        name, sql, size = self.task.name, self.options.sql, self.options.batch_size
        try:
            settled = self._insist(
                lambda: settle_by_statement(self.using, name, sql, size, self.reached)
            )
        except DatabaseError as error:
            logger.warning("%s: its statement failed, its function runs: %s", name, error)
            self._reconnect()
            return self.run_batch()  # finds out whose fault it is
        if settled.more:
            wake_task(self.using, name)
        self.report.settled += settled.calls
        self.reached = settled.last
        return settled.more

    def run_batch(self) -> bool:
        """Settle one batch; whether there may be another.

        What commits after the claim sends a wake-up of its own: the turn began before.
        """
        if not wait_for_rate(self.task):
            return False
        size = 1 if has_rate_limit(self.task) else self.options.batch_size
        batch = self._insist(lambda: claim_batch(self.using, self.task.name, size))
        if batch is None:
            return False
        if batch.more:
            wake_task(self.using, self.task.name)  # spreads a backlog over all workers
        self._settle(batch)
        return batch.more

    def run_leased(self) -> bool:
        """Run calls with outside effects, each under its lease; whether there may be others."""
        if not wait_for_rate(self.task):
            return False
        call, more = self._lease()
        while call is not None:
            error, result = self._run_outside(call)
            keep = self.runner.take_unkept()
            if error or keep or self.is_time_up() or self._is_alone(call):
                # What happened is known: a connection that broke must not make it uncertain.
                self._insist_on_mark(Ended(call, error, partial(self._mark, result, keep)))
                return more
            call, more = self._lease(done=call)
        return False

    def _lease(self, done: Call | None = None) -> Taken:
        """Lease the next call and, with the same commit, mark ``done``, the one before it."""
        lease = Lease(self.using, self.task.name, self.options.lease, done)
        try:
            call, more = self._insist(lease.take)
        except BaseException:
            deferred_writes.write_or_defer(lease)
            raise
        if done is not None:
            self.report.settled += 1
            send_success(self.runner, [done])
        if more and time.monotonic() - self.spread >= SPREAD:
            self.spread = time.monotonic()
            wake_task(self.using, self.task.name)
        return call, more

    def _run_outside(self, call: Call) -> tuple[Exception | None, Any]:
        try:
            result = self.runner.run(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the call's outcome
            return error, None
        return call.asked, result

    def _insist_on_mark(self, ended: Ended) -> None:
        try:
            self._insist(ended.finish)
        except BaseException:
            ended.keep()
            raise

    def _is_alone(self, call: Call) -> bool:
        """Return whether the call is marked by itself, and not as the next one is leased."""
        return bool(call.options.get("link")) or has_rate_limit(self.task)

    def _mark(
        self,
        result: Any,
        keep: Callable[[], None] | None,
        call: Call,
        error: BaseException | None,
    ) -> None:
        report = DrainSummary()
        with transaction.atomic(using=self.using):
            if error is not None:
                take_back_attempt(call)
                self._fail(report, call, error)
            elif rows_of(call)._raw_delete(self.using):
                if keep:
                    keep()
                self._start_links_outside(call, result)
                report.settled = 1
                send_success(self.runner, [call])
        self.report.add(report)

    def _start_links_outside(self, call: Call, result: Any) -> None:
        """Have what is linked called. Only an outage is worth that the effect is had again."""
        try:
            with transaction.atomic(using=self.using):
                start_links(call, result)
        except Exception as error:
            if is_transient(error):
                raise
            logger.exception("%s[%s]: what is linked to it is not called", call.task, call.id)

    def _fail(self, report: DrainSummary, call: Call, error: BaseException) -> None:
        """Record a failure with whatever belongs to it, in the transaction that is open."""
        if isinstance(error, Expired):
            report.expired += bool(rows_of(call)._raw_delete(self.using))
            report_expired(self.runner, call, error)
            return
        status = settle_failed(rows_of(call), call, self.task, error)
        report.count_failed(status, call, error)
        report_failure(self.runner, call, error, status)

    def _settle(self, batch: Batch) -> None:
        """Settle the batch together; if that fails, so that each call has its own outcome."""
        try:
            try:
                self._settle_together(batch)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is the calls' outcome
                self._settle_failed(batch, error)
            self.tried = {}
        except (Exception, KeyboardInterrupt):
            # No database, or a person: no crash. A call that exits, as one that is killed, is one.
            deferred_writes.write_or_defer(batch)
            raise

    def _settle_together(self, batch: Batch) -> None:
        run = self._run_together if self.options.batch else self._run_each
        try:
            self.report.add(self._insist(lambda: self._run_in_transaction(batch, run)))
        except Exception:
            if self.options.batch or len(batch.ids) == 1 or self.guarded:
                raise
            self.guarded = True
            self._reconnect()
            self._settle_together(batch)

    def _insist(self, function: Callable[[], Value]) -> Value:
        """The function's value; called again, on a new connection, while the database fails."""
        for _ in range(1, TRIES):
            try:
                return function()
            except (InterfaceError, OperationalError) as error:
                if not is_transient(error):
                    raise
                self._reconnect()
        return function()

    def _run_in_transaction(
        self, batch: Batch, run: Callable[[Sequence[Call]], "Outcome"]
    ) -> DrainSummary:
        report = DrainSummary()
        with transaction.atomic(using=self.using):
            calls = batch.lock()
            self.tried = {call.pk: call for call in calls}
            done, failed = run(calls)
            report.settled = settle_done(self.using, done)
            send_success(self.runner, done)
            for call, error in failed:
                self._fail(report, call, error)
        return report

    def _run_together(self, calls: Sequence[Call]) -> "Outcome":
        readable, failed = [], []
        for call in calls:
            try:
                self.runner.read(call)
            except (CallError, Expired) as error:
                failed.append((call, error))
            else:
                readable.append(call)
        if readable:
            self.runner.run_batch(readable)
        asked = [(call, call.asked) for call in readable if call.asked]
        return [call for call in readable if not call.asked], [*failed, *asked]

    def _run_each(self, calls: Sequence[Call]) -> "Outcome":
        done, failed = [], []
        for call in calls:
            try:
                with transaction.atomic(using=self.using) if self.guarded else nullcontext():
                    self._run_one(call)
            except Exception as error:
                # Without a connection nothing can be settled: it is the batch that failed.
                if not self.guarded or is_transient(error) or not self._is_connected():
                    raise
                failed.append((call, error))
            else:
                if call.asked:
                    failed.append((call, call.asked))
                else:
                    done.append(call)
            if self.is_time_up():
                break  # the rest stays as it is, for the next drain
        return done, failed

    def _run_one(self, call: Call) -> None:
        result = self.runner.run(call)
        start_links(call, result)
        if transaction.get_rollback(using=self.using):
            # Django would roll back without a word, and the call would count as done.
            raise transaction.TransactionManagementError(
                f"{call!r}: the function returned, but has its transaction roll back: by "
                "set_rollback(), or by an error that it caught outside a block of its own. Put "
                "what may fail into transaction.atomic()."
            )

    def _is_connected(self) -> bool:
        return connections[self.using].is_usable()

    def _settle_failed(self, batch: Batch, error: Exception) -> None:
        """Record the error of a batch of one; of several, run each alone to find whose it is."""
        self._reconnect()
        if len(batch.ids) == 1:
            with transaction.atomic(using=self.using):
                for call in batch.lock():
                    self._fail(self.report, self.tried.get(call.pk, call), error)
            return
        deferred_writes.write_or_defer(batch)
        for pk in batch.ids:
            self._settle(journal_batch(self.using, self.task.name, [pk]))
            if self.is_time_up():
                break

    def _reconnect(self) -> None:
        """Drop a connection that broke, as Django does between requests."""
        connection = connections[self.using]
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


Outcome = tuple[Sequence[Call], Sequence[tuple[Call, Exception]]]
"""The calls that are done, and those that failed with their errors."""


def drain_task(
    task: Any, using: str, seconds: float | None = None, message: Any = None
) -> DrainSummary:
    """Settle the task's due calls in database ``using``, for OUTBOX_DRAIN_SECONDS at most.

    ``message`` is the request of the message that asked for it, if one did.
    """
    seconds = conf().DRAIN_SECONDS if seconds is None else seconds
    return Drain(Runner(task, message), using, seconds).run()


def drain_all(using: str | None = None) -> DrainSummary:
    """Settle everything that is due, in this process; of all databases, if none is named.

    A task whose calls can't be settled keeps no other from its turn; its error is raised last.
    """
    autodiscover_modules("tasks")
    total = DrainSummary()
    errors: list[Exception] = []
    for alias in [using] if using else sweep.outbox_aliases():
        total.dead += sweep.recover(alias)
        _drain_alias(alias, total, errors)
    if errors:
        raise errors[0]
    ages = [age for alias in sweep.outbox_aliases() for age in sweep.due_ages(alias).values()]
    return replace(total, oldest_age=max(ages, default=None))


def _drain_alias(using: str, total: DrainSummary, errors: list[Exception]) -> None:
    """Drain in rounds until nothing is due, or calls are tried round after round and none ends."""
    idle = 0
    while idle < IDLE_ROUNDS:
        ended = total.ended
        if not _drain_due(using, total, errors):
            return
        idle = idle + 1 if total.ended == ended else 0


def _drain_due(using: str, total: DrainSummary, errors: list[Exception]) -> int:
    """Drain each task that has due calls once; how many calls were tried."""
    before = total.total
    for task in [task for name in sweep.due_ages(using) if (task := find_task(name))]:
        try:
            total.add(drain_task(task, using))
        except Exception as error:  # noqa: BLE001  # raised when the others have had their turn
            errors.append(error)
    return total.total - before
