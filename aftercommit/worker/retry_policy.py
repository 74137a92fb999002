"""Decide whether a call that failed is tried again, and when."""

import math
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from celery.exceptions import Reject, Retry
from celery.utils.time import get_exponential_backoff_interval
from django.utils import timezone

from aftercommit.call import Call, CallError
from aftercommit.outbox.task_function import MisfitError
from aftercommit.outbox.task_options import DEFAULTS, Options
from aftercommit.worker.database_errors import costs_no_attempt, is_transient

MAX_DELAY = timedelta(days=36_525).total_seconds()
"""The seconds that a call is put off at most, a century: every database and time zone can hold the
time."""

MIN_DELAY = 1.0
"""Seconds at least until a call is tried again whose attempt was not counted. Without a pause a
drain would try the call again and again for its whole time."""

MAX_DOUBLINGS = 64
"""The number of times at most that the backoff doubles. A call without ``max_retries`` can have
thousands of attempts."""


class NextStep(Enum):
    """What happens to a call that failed."""

    RETRY = "tried again, and the attempt is counted"
    PUT_OFF = "tried again, as if it had not been tried"
    DEAD = "a dead letter"


def choose_next_step(call: Call, options: Options, error: BaseException) -> NextStep:
    """Return the call's next step, by its error and its task's options.

    ``self.retry()`` and ``Reject``, which the task's author wrote, come first. Then come the errors
    that the options name, then the question whose fault it was. An outage makes no dead letter at
    once.
    """
    match error:
        case CallError() | MisfitError():
            return NextStep.DEAD
        case Retry():
            # self.retry() has compared the attempts with its max_retries, and names what is to run.
            is_asked = getattr(error, "sig", None) is not None
            return NextStep.RETRY if is_asked else _by_limit(call, options)
        case Reject():
            requeue = getattr(error, "requeue", False)
            return _by_limit(call, options) if requeue else NextStep.DEAD
    if error is call.exhausted or _is_one_of(error, options.dont_autoretry_for):
        return NextStep.DEAD
    if costs_no_attempt(error):
        return NextStep.PUT_OFF
    if is_transient(error) or _is_to_be_retried(options, error):
        return _by_limit(call, options)
    return NextStep.DEAD


def _is_to_be_retried(options: Options, error: BaseException) -> bool:
    """Return whether the options have the error retried.

    Celery has made a Retry of most errors that ``autoretry_for`` names.
    """
    if options.autoretry_for:
        return _is_one_of(error, options.autoretry_for)
    return not is_expected(options, error)


def is_expected(options: Options, error: BaseException) -> bool:
    """Return whether the task names the error in ``throws``."""
    return _is_one_of(error, options.throws)


def _is_one_of(error: BaseException, classes: Any) -> bool:
    """Return whether the error is of the class, or of one of the classes, that an option names."""
    return isinstance(error, classes if isinstance(classes, type) else tuple(classes))


def _by_limit(call: Call, options: Options) -> NextStep:
    limit = options.max_retries
    return NextStep.RETRY if limit is None or call.attempts < limit else NextStep.DEAD


def default_next_step(call: Call, options: Options) -> NextStep:
    """Return the next step of a call whose error or options raise when they are asked."""
    limit = retry_limit(options)
    return NextStep.RETRY if limit is None or call.attempts < limit else NextStep.DEAD


def retry_limit(options: Options) -> int | None:
    """Return the number of retries, the default for an option that is no number, None for any."""
    limit = options.max_retries
    if limit is None or isinstance(limit, int):
        return limit
    return int(DEFAULTS["max_retries"])


def default_delay(call: Call) -> datetime | float:
    """Return the seconds until the next attempt, for a task whose own options give no time."""
    return float(min(DEFAULTS["retry_backoff_max"], 2 ** min(call.attempts, MAX_DOUBLINGS)))


def next_attempt_time(
    call: Call, options: Options, error: BaseException, next_step: NextStep
) -> datetime | float:
    """Return the time of the next attempt, or the seconds until then.

    Raises TypeError or ValueError if the task's option or its ``self.retry()`` gives no valid time.
    """
    if isinstance(error, Retry) and error.when is not None:
        return parse_time(error.when)
    by_task = isinstance(error, Retry) or not options.retry_backoff
    when = parse_time(options.default_retry_delay if by_task else _backoff(call, options))
    if isinstance(when, datetime) or next_step is not NextStep.PUT_OFF:
        return when
    return max(when, MIN_DELAY)


def _backoff(call: Call, options: Options) -> float:
    return get_exponential_backoff_interval(
        factor=int(max(1.0, float(options.retry_backoff))),
        retries=min(call.attempts, MAX_DOUBLINGS),
        maximum=int(options.retry_backoff_max),
        full_jitter=options.retry_jitter,
    )


def parse_time(when: Any) -> datetime | float:
    """Return a future time, or the seconds until then: 0 for the past, a century at most.

    ``when`` is a number of seconds, a timedelta, a datetime or a text of ISO 8601. A time without a
    time zone is in the time zone of Django's settings.
    """
    if isinstance(when, str):
        when = _parse(when)
    if isinstance(when, datetime):
        return _clamp_time(when)
    try:
        seconds = when.total_seconds() if isinstance(when, timedelta) else min(when, MAX_DELAY)
        if math.isnan(seconds):
            raise ValueError
        return float(min(max(seconds, 0), MAX_DELAY))
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"The time of the next attempt is {when!r}. Expected a number of seconds, a timedelta, "
            "a datetime or a text in ISO 8601."
        ) from None


def _parse(text: str) -> Any:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return float(text) if text.replace(".", "", 1).isdecimal() else text


def _clamp_time(when: datetime) -> datetime | float:
    # Compare the years first: with a time zone, datetime.max is beyond what Python can compare.
    now = datetime.now(UTC)
    if when.year < now.year - 1:
        return 0.0
    if when.year > now.year + 100:
        return MAX_DELAY
    zone = timezone.get_default_timezone()
    aware = when if timezone.is_aware(when) else timezone.make_aware(when, zone)
    # A time in the past would keep the call the first of its task's calls.
    return aware.astimezone(UTC) if aware > now else 0.0
