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
from aftercommit.outbox.task_function import MisfitError
from aftercommit.outbox.task_options import Options
from aftercommit.worker.error_text import format_error, summarize_error
from aftercommit.worker.logs import log_fields, log_safely
from aftercommit.worker.misfits import decide_misfit
from aftercommit.worker.outcome import Outcome
from aftercommit.worker.retry_policy import (
    NextStep,
    choose_next_step,
    default_delay,
    default_next_step,
    is_expected,
    next_attempt_time,
)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Guard:
    """Ask questions of a stranger's code. What raises is logged, and noted for the call's row."""

    call: Call
    notes: list[str] = field(default_factory=list)

    def ask(self, what: str, function: Callable[[], Value], default: Value) -> Value:
        """Return the function's value, or the default if it raises."""
        try:
            return function()
        except Exception as failure:  # noqa: BLE001  # options, errors and texts of strangers
            self.note(what, failure)
            return default

    def note(self, what: str, failure: Exception) -> None:
        """Log and note what could not be done."""
        self.notes.append(f"This failure could not {what}: {summarize_error(failure)}")
        named = (self.call.task, self.call.id, self.notes[-1])
        log_safely(
            logging.ERROR, "%s[%s]: %s", *named, extra=log_fields(self.call), exc_info=failure
        )


def decide(
    using: str, call: Call, task: Any, options: Options, error: BaseException, guard: Guard
) -> Outcome:
    """Return the outcome of the call, by its error and its task's options.

    Raises only what the database raises that is asked about a call that fits no function.
    """
    summary = summarize_error(error)
    text = guard.ask("be described", lambda: format_error(error), summary)
    decided = _next_step_of_misfit(using, call, task, error)
    if decided is None:
        next_step, when = _next_step_of_call(call, options, error, guard)
    else:
        next_step, when, text = decided
    expected = guard.ask("be looked for in throws", lambda: is_expected(options, error), False)
    payload = guard.ask("be given other arguments", lambda: _new_payload(error), None)
    text = "\n".join([text.rstrip("\n"), *guard.notes])
    return Outcome(next_step, when, text, summary, expected, payload)


def _next_step_of_misfit(
    using: str, call: Call, task: Any, error: BaseException
) -> tuple[NextStep, datetime | float, str] | None:
    """Return the next step of a call whose arguments don't fit the function. None for any other."""
    if not isinstance(error, MisfitError):
        return None
    misfit = decide_misfit(using, call, task, error)
    next_step = NextStep.DEAD if misfit.seconds is None else NextStep.PUT_OFF
    return next_step, misfit.seconds or 0.0, misfit.text


def _next_step_of_call(
    call: Call, options: Options, error: BaseException, guard: Guard
) -> tuple[NextStep, datetime | float]:
    """Return whether the call is tried again, and when."""
    by_default = default_next_step(call, options)
    next_step = guard.ask("be judged", lambda: choose_next_step(call, options, error), by_default)
    if next_step is NextStep.DEAD:
        return next_step, 0.0
    later = lambda: next_attempt_time(call, options, error, next_step)  # noqa: E731
    return next_step, guard.ask("be put off as its task says", later, default_delay(call))


def _new_payload(error: BaseException) -> str | None:
    """Return the arguments that ``self.retry()`` was given, encoded."""
    payload = getattr(error, "payload", None) if isinstance(error, Retry) else None
    return payload if isinstance(payload, str) else None


def reduce_outcome(outcome: Outcome, call: Call, guard: Guard) -> Outcome:
    """Return the outcome with a text that any database can hold, and nothing of the task's."""
    text = "\n".join([outcome.summary, *guard.notes]).encode("ascii", "backslashreplace").decode()
    return Outcome(outcome.next_step, default_delay(call), text, outcome.summary, outcome.expected)
