"""The decision what becomes of a call that failed, made even where all that it asks raises.

An error, a task's options and the texts of both are a stranger's code. If one of them raised here,
the call would never be settled, and its row would stay the first of its task for ever.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from celery.exceptions import Retry

from aftercommit.call import Call
from aftercommit.outbox.task_function import SignatureError
from aftercommit.outbox.task_options import Options
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.error_text import format_error, summarize_error
from aftercommit.worker.logs import log_fields, log_safely
from aftercommit.worker.misfits import judge_misfit
from aftercommit.worker.outcome import Outcome
from aftercommit.worker.retry_policy import (
    Verdict,
    default_delay,
    is_expected,
    judge,
    judge_by_default,
    next_attempt_time,
)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Guard:
    """Ask questions of a stranger's code. What raises is logged, and noted for the call's row."""

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
        """Log and note what could not be done. Raise the failure if a database is out of order."""
        if is_transient(failure):
            raise failure
        self.notes.append(f"This failure could not {what}: {summarize_error(failure)}")
        named = (self.call.task, self.call.id, self.notes[-1])
        log_safely(
            logging.ERROR, "%s[%s]: %s", *named, extra=log_fields(self.call), exc_info=failure
        )


def decide(
    using: str, call: Call, task: Any, options: Options, error: BaseException, guard: Guard
) -> Outcome:
    """Return the outcome of the call, by its error and its task's options."""
    text = guard.ask("be described", lambda: format_error(error), summarize_error(error))
    decided = _decide_misfit(using, call, task, error, guard)
    if decided is None:
        verdict, when = _decide_retry(call, options, error, guard)
    else:
        verdict, when, text = decided
    expected = guard.ask("be looked for in throws", lambda: is_expected(options, error), False)
    payload = guard.ask("be given other arguments", lambda: _new_payload(error), None)
    return Outcome(verdict, when, "\n".join([text.rstrip("\n"), *guard.notes]), expected, payload)


def _decide_misfit(
    using: str, call: Call, task: Any, error: BaseException, guard: Guard
) -> tuple[Verdict, datetime | float, str] | None:
    """Return what becomes of a call whose arguments don't fit the function. None for any other."""
    if not isinstance(error, SignatureError):
        return None
    misfit = guard.ask("be compared", lambda: judge_misfit(using, call, task, error), None)
    if misfit is None:
        return None
    verdict = Verdict.DEAD if misfit.seconds is None else Verdict.PUT_OFF
    return verdict, misfit.seconds or 0.0, misfit.text


def _decide_retry(
    call: Call, options: Options, error: BaseException, guard: Guard
) -> tuple[Verdict, datetime | float]:
    """Return whether the call is tried again, and when."""
    by_default = judge_by_default(call, options)
    verdict = guard.ask("be judged", lambda: judge(call, options, error), by_default)
    if verdict is Verdict.DEAD:
        return verdict, 0.0
    later = lambda: next_attempt_time(call, options, error, verdict)  # noqa: E731
    return verdict, guard.ask("be put off as its task says", later, default_delay(call))


def _new_payload(error: BaseException) -> str | None:
    """Return the arguments that ``self.retry()`` was given, encoded."""
    payload = getattr(error, "payload", None) if isinstance(error, Retry) else None
    return payload if isinstance(payload, str) else None


def reduce_outcome(outcome: Outcome, call: Call, error: BaseException, guard: Guard) -> Outcome:
    """Return the outcome with a text that any database can hold, and nothing of the task's."""
    text = "\n".join([summarize_error(error), *guard.notes])
    in_ascii = text.encode("ascii", "backslashreplace").decode()
    return Outcome(outcome.verdict, default_delay(call), in_ascii, outcome.expected)
