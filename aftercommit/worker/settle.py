"""Settling: a call's end. Done, to be retried, or a dead letter."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from celery.exceptions import Retry
from django.db import connections, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import SignatureError
from aftercommit.outbox.options import Options
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.error_text import format_error, make_storable, summarize_error
from aftercommit.worker.logs import log_failure, log_fields, log_safely
from aftercommit.worker.misfits import Misfit, judge_misfit
from aftercommit.worker.retry_policy import (
    Verdict,
    default_delay,
    is_expected,
    judge,
    judge_by_default,
    next_attempt_time,
)
from aftercommit.worker.rows import delete_rows

Value = TypeVar("Value")

TAKEN = "failed, but another process has taken the call"


def settle_done(using: str, calls: Iterable[Call]) -> int:
    """Delete the rows of calls that are done. Return how many calls there were."""
    ids = [call.pk for call in calls]
    delete_rows(OutboxCall, using, ids)
    return len(ids)


def settle_failed(
    rows: QuerySet[OutboxCall], call: Call, task: Any, error: BaseException
) -> OutboxCall.Status:
    """Record that the call failed. Return its status: PENDING, with a later time, or DEAD.

    Raises only what says that a database is out of order. Whatever else raises here is logged, and
    the call has had an attempt: otherwise its row would stay the first of its task for ever.
    """
    options, guard = Options.of(task), Guard(call)
    outcome = _decide(rows.db, call, task, options, error, guard)
    try:
        with transaction.atomic(using=rows.db):  # what fails must not spoil what comes after it
            recorded = outcome.write(rows)
    except Exception as failure:  # noqa: BLE001  # whatever it is, the call must be settled
        guard.note("be recorded in full", failure)
        outcome = _reduce(outcome, call, error, guard)
        recorded = outcome.write(rows)

    level, fate = (outcome.level, outcome.fate) if recorded else (logging.WARNING, TAKEN)

    def tell() -> None:
        log_failure(call, options.max_retries, error, level, fate)

    # A failure whose transaction rolls back has not been recorded, and will be told of again.
    connections[rows.db].on_commit(tell, robust=True)
    return outcome.status


def bury(rows: QuerySet[OutboxCall], error: str, **values: Any) -> int:
    """Make the rows dead letters with this error. Return how many rows there were."""
    return rows.update(
        status=OutboxCall.Status.DEAD,
        error=make_storable(error),
        lease=None,
        failing_since=None,
        **values,
    )


@dataclass(frozen=True)
class Guard:
    """Gets an answer whatever raises, and notes for the row what raised."""

    call: Call
    notes: list[str] = field(default_factory=list)

    def ask(self, what: str, function: Callable[[], Value], default: Value) -> Value:
        """Return the function's value, or the default if it raises anything but an outage."""
        try:
            return function()
        except Exception as failure:  # noqa: BLE001  # options, errors and texts of strangers
            self.note(what, failure)
            return default

    def note(self, what: str, failure: Exception) -> None:
        """Log and note what could not be done. Raises the failure if a database is out of order."""
        if is_transient(failure):
            raise failure
        self.notes.append(f"This failure could not {what}: {summarize_error(failure)}")
        named = (self.call.task, self.call.id, self.notes[-1])
        log_safely(
            logging.ERROR, "%s[%s]: %s", *named, extra=log_fields(self.call), exc_info=failure
        )


@dataclass(frozen=True)
class Outcome:
    """What is recorded of a call that failed."""

    verdict: Verdict
    when: datetime | float
    """The time of the next attempt, or the seconds until then."""

    text: str
    expected: bool
    """Whether the task names the error in ``throws``."""

    payload: str | None = None
    """The arguments of the next attempt, if they are others."""

    @property
    def status(self) -> OutboxCall.Status:
        """Return the status that the row gets."""
        dead = self.verdict is Verdict.DEAD
        return OutboxCall.Status.DEAD if dead else OutboxCall.Status.PENDING

    @property
    def level(self) -> int:
        """Return the level of the log: a dead letter of an expected error is an information."""
        if self.verdict is not Verdict.DEAD:
            return logging.WARNING
        return logging.INFO if self.expected else logging.ERROR

    @property
    def fate(self) -> str:
        """Return what the log says of the attempt."""
        if self.verdict is Verdict.DEAD:
            return "failed, it is a dead letter now"
        counted = "failed" if self.verdict is Verdict.RETRY else "not counted"
        when = self.when
        at = f"at {when.isoformat()}" if isinstance(when, datetime) else f"in {when:.6g} s"
        return f"{counted}, the next is {at}"

    def write(self, rows: QuerySet[OutboxCall]) -> int:
        """Write it into the row. Return 0 if the row is no longer this process's, else 1."""
        if self.verdict is Verdict.DEAD:
            return bury(rows, self.text, attempts=F("attempts") + 1)
        arguments = {} if self.payload is None else {"payload": self.payload}
        return rows.update(
            status=OutboxCall.Status.PENDING,
            attempts=F("attempts") + int(self.verdict is Verdict.RETRY),
            available_at=self.when if isinstance(self.when, datetime) else _from_now(self.when),
            failing_since=Coalesce(F("failing_since"), Now()),
            error=self.text,
            lease=None,
            **arguments,
        )


def _decide(
    using: str, call: Call, task: Any, options: Options, error: BaseException, guard: Guard
) -> Outcome:
    by_default = judge_by_default(call, options)
    verdict = guard.ask("be judged", lambda: judge(call, options, error), by_default)
    text = guard.ask("be described", lambda: format_error(error), summarize_error(error))
    when: datetime | float = 0.0
    misfit: Misfit | None = None
    if isinstance(error, SignatureError):
        misfit = guard.ask("be compared", lambda: judge_misfit(using, call, task, error), None)
    if misfit is not None:
        text, when = misfit.text, misfit.seconds or 0.0
        verdict = Verdict.DEAD if misfit.seconds is None else Verdict.PUT_OFF
    elif verdict is not Verdict.DEAD:
        later = lambda: next_attempt_time(call, options, error, verdict)  # noqa: E731
        when = guard.ask("be put off as its task says", later, default_delay(call))
    expected = guard.ask("be looked for in throws", lambda: is_expected(options, error), False)
    payload = guard.ask("be given other arguments", lambda: _new_payload(error), None)
    return Outcome(verdict, when, "\n".join([text.rstrip("\n"), *guard.notes]), expected, payload)


def _new_payload(error: BaseException) -> str | None:
    """Return the arguments that ``self.retry()`` was given, encoded."""
    payload = getattr(error, "payload", None) if isinstance(error, Retry) else None
    return payload if isinstance(payload, str) else None


def _reduce(outcome: Outcome, call: Call, error: BaseException, guard: Guard) -> Outcome:
    """Return the outcome with a text that any database can hold, and nothing of the task's."""
    text = "\n".join([summarize_error(error), *guard.notes])
    in_ascii = text.encode("ascii", "backslashreplace").decode()
    return Outcome(outcome.verdict, default_delay(call), in_ascii, outcome.expected)


def _from_now(seconds: float) -> Any:
    # SQLite writes a sum with more digits, which its comparison takes for later than the same time.
    return Now() + timedelta(seconds=seconds) if seconds else Now()
