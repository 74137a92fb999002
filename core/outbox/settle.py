"""Settling: a call's end. Done, to be retried, or a dead letter."""

import traceback
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from celery.exceptions import Reject, Retry
from celery.utils.time import get_exponential_backoff_interval
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from core.models import OutboxCall
from core.outbox.call import Call, CallError, SignatureError

if TYPE_CHECKING:
    from core.outbox.task import OutboxTask

ERROR_CHARACTERS = 20_000

# https://www.postgresql.org/docs/current/errcodes-appendix.html: transaction rollback, connection,
# operator intervention other than a cancelled query, too few resources, lock not available.
TRANSIENT_SQLSTATES = ("40", "08", "57P", "53", "55P03")
NO_ATTEMPT_SQLSTATES = ("40", "53", "55P03")

# What SQLite, which has no such codes, says of a file that is busy, gone, full or in trouble.
TRANSIENT_WORDS = ("locked", "closed", "full", "disk I/O", "readonly")
NO_ATTEMPT_WORDS = ("locked", "full")


def is_transient(error: BaseException) -> bool:
    """Whether the database failed, not the call: a deadlock, a lost connection, a busy file."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if not hasattr(error.__cause__, "sqlstate"):
        return any(word in str(error) for word in TRANSIENT_WORDS)
    sqlstate: str | None = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(TRANSIENT_SQLSTATES)


def is_no_attempt(error: BaseException) -> bool:
    """Whether it says nothing about the call: no broker, a conflict over a lock, a full disk."""
    if isinstance(error, BrokerError):
        return True
    if not isinstance(error, OperationalError):
        return False
    sqlstate: str | None = getattr(error.__cause__, "sqlstate", None)
    return (sqlstate or "").startswith(NO_ATTEMPT_SQLSTATES) or any(
        word in str(error) for word in NO_ATTEMPT_WORDS
    )


def settle_done(using: str, calls: Iterable[Call]) -> int:
    """Delete the rows of calls that are done; how many they were."""
    ids = [call.id for call in calls]
    if ids:
        OutboxCall.objects.using(using).filter(pk__in=ids)._raw_delete(using)
    return len(ids)


def settle_failed(
    rows: QuerySet[OutboxCall], call: Call, task: "OutboxTask", error: BaseException
) -> OutboxCall.Status:
    """Record that the call failed: PENDING with a later time, or DEAD, is returned and written."""
    text = "".join(traceback.format_exception(error))[-ERROR_CHARACTERS:]
    if _is_final(call, task, error):
        bury(rows, text, attempts=F("attempts") + 1)
        return OutboxCall.Status.DEAD
    counts = 0 if is_no_attempt(error) else 1
    when = _next_time(call, task, error)
    rows.update(
        status=OutboxCall.Status.PENDING,
        attempts=F("attempts") + counts,
        available_at=when if isinstance(when, datetime) else Now() + timedelta(seconds=when),
        error=_clean(text),
        lease=None,
    )
    return OutboxCall.Status.PENDING


def bury(rows: QuerySet[OutboxCall], error: str, **values: Any) -> int:
    """Make the rows dead letters with this error; how many they were."""
    return rows.update(status=OutboxCall.Status.DEAD, error=_clean(error), lease=None, **values)


def _is_final(call: Call, task: "OutboxTask", error: BaseException) -> bool:
    if is_no_attempt(error):
        return False
    if isinstance(error, Reject):
        return not getattr(error, "requeue", False)
    if isinstance(error, (CallError, SignatureError, *task.dont_autoretry_for)):
        return True
    # What self.retry() raises has been held against its own max_retries already.
    limit = getattr(error, "max_retries", task.max_retries)
    return limit is not None and call.attempts >= limit


def _next_time(call: Call, task: "OutboxTask", error: BaseException) -> datetime | float:
    """The time, or the seconds from now, of the next attempt."""
    if isinstance(error, Retry) and error.when is not None:
        return error.when if isinstance(error.when, datetime) else float(error.when)
    if not task.retry_backoff:
        return task.default_retry_delay
    seconds: float = get_exponential_backoff_interval(
        factor=int(max(1.0, task.retry_backoff)),
        retries=call.attempts,
        maximum=task.retry_backoff_max,
        full_jitter=task.retry_jitter,
    )
    return seconds


def _clean(text: str) -> str:
    return text.replace("\x00", "\\x00")  # PostgreSQL's text can't hold it
