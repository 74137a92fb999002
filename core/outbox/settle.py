"""Settling: a call's end. Done, to be retried, or a dead letter."""

import json
import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from celery.exceptions import Reject, Retry
from celery.utils.time import get_exponential_backoff_interval
from django.db import InterfaceError, OperationalError, connections
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from core.models import OutboxBatch, OutboxCall
from core.outbox.call import Call, CallError, SignatureError
from core.outbox.options import Options

ERROR_CHARACTERS = 20_000

# A DELETE of MySQL's waits for each row that it reads, and for an IN it reads the whole of a small
# table: what other drains have locked, one of which may be waiting for this one.
DELETE = {
    "postgresql": "DELETE FROM {table} WHERE id = ANY(%s)",
    "mysql": """
        DELETE {table}
        FROM JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS ids
        STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.id = ids.id
    """,
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html: transaction rollback, connection,
# operator intervention other than a cancelled query, too few resources, lock not available. What a
# call took too long for would take too long again: statement_timeout (57014),
# idle_in_transaction_session_timeout (25P03) and transaction_timeout (25P04) are attempts.
TRANSIENT_SQLSTATES = ("40", "08", "57P", "53", "55P03")
NO_ATTEMPT_SQLSTATES = ("40", "53", "55P03")

# https://dev.mysql.com/doc/mysql-errors/8.0/en/, https://mariadb.com/kb/en/mariadb-error-codes/:
# MySQL's numbers; its SQLSTATE is the general one for most of them.
NO_ATTEMPT_NUMBERS = frozenset(
    {
        *(1020, 1205, 1206, 1213, 3572),  # a conflict over a row or its lock
        *(1021, 1114),  # a full disk, a full table
        *(1037, 1041, 1135),  # no memory, no thread
        *(1040, 1203, 1226),  # too many connections
    }
)
TRANSIENT_NUMBERS = NO_ATTEMPT_NUMBERS | {
    *(0, 2002, 2003, 2006, 2013, 2055),  # no connection, as the client says
    *(1053, 1158, 1159, 1160, 1161, 1927, 4031),  # no connection, as the server says
    *(1030, 1180),  # the storage or a COMMIT in trouble
    *(1290, 1836),  # read-only, as a server is whose place another has taken
}

# What SQLite, which has no such codes, says of a file that is busy, gone, full or in trouble.
TRANSIENT_WORDS = ("locked", "closed", "full", "disk I/O", "readonly")
NO_ATTEMPT_WORDS = ("locked", "full")


def is_transient(error: BaseException) -> bool:
    """Whether the database failed, not the call: a deadlock, a lost connection, a busy file."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if (number := _mysql_number(error)) is not None:
        return number in TRANSIENT_NUMBERS
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
    if (number := _mysql_number(error)) is not None:
        return number in NO_ATTEMPT_NUMBERS
    sqlstate: str | None = getattr(error.__cause__, "sqlstate", None)
    return (sqlstate or "").startswith(NO_ATTEMPT_SQLSTATES) or any(
        word in str(error) for word in NO_ATTEMPT_WORDS
    )


def _mysql_number(error: BaseException) -> int | None:
    args = error.__cause__.args if error.__cause__ else ()
    return args[0] if args and isinstance(args[0], int) else None


def settle_done(using: str, calls: Iterable[Call]) -> int:
    """Delete the rows of calls that are done; how many they were."""
    ids = [call.pk for call in calls]
    delete_rows(OutboxCall, using, ids)
    return len(ids)


def delete_rows(model: type[OutboxCall | OutboxBatch], using: str, ids: Sequence[int]) -> None:
    """Delete the rows with these ids, and wait for a lock on no other."""
    vendor, table = connections[using].vendor, model._meta.db_table
    if not ids:
        return
    if vendor == "sqlite":
        model._base_manager.using(using).filter(pk__in=ids)._raw_delete(using)
        return
    with connections[using].cursor() as cursor:  # a parameter each costs more than the rows do
        parameter = json.dumps(ids) if vendor == "mysql" else list(ids)
        cursor.execute(DELETE[vendor].format(table=table), [parameter])


def settle_failed(
    rows: QuerySet[OutboxCall], call: Call, task: Any, error: BaseException
) -> OutboxCall.Status:
    """Record that the call failed: PENDING with a later time, or DEAD, is returned and written."""
    options = Options.of(task)
    text = "".join(traceback.format_exception(error))[-ERROR_CHARACTERS:]
    if _is_final(call, options, error):
        bury(rows, text, attempts=F("attempts") + 1)
        return OutboxCall.Status.DEAD
    counts = 0 if is_no_attempt(error) else 1
    when = _next_time(call, options, error)
    rows.update(
        status=OutboxCall.Status.PENDING,
        attempts=F("attempts") + counts,
        available_at=when if isinstance(when, datetime) else _from_now(when),
        error=_clean(text),
        lease=None,
        **(
            {"payload": vars(error)["payload"]}
            if isinstance(getattr(error, "payload", None), str)
            else {}
        ),
    )
    return OutboxCall.Status.PENDING


def bury(rows: QuerySet[OutboxCall], error: str, **values: Any) -> int:
    """Make the rows dead letters with this error; how many they were."""
    return rows.update(status=OutboxCall.Status.DEAD, error=_clean(error), lease=None, **values)


def _is_final(call: Call, task: Options, error: BaseException) -> bool:
    if is_no_attempt(error):
        return False
    if isinstance(error, Reject):
        return not getattr(error, "requeue", False)
    if isinstance(error, (CallError, SignatureError, *task.dont_autoretry_for)):
        return True
    if error is call.exhausted:
        return True
    # What self.retry() raises has been held against its own max_retries already.
    limit = None if isinstance(error, Retry) else task.max_retries
    return limit is not None and call.attempts >= limit


def _next_time(call: Call, task: Options, error: BaseException) -> datetime | float:
    """The time, or the seconds from now, of the next attempt."""
    if isinstance(error, Retry) and error.when is not None:
        return error.when if isinstance(error.when, datetime) else float(error.when)
    if not task.retry_backoff:
        delay: float = task.default_retry_delay
        return delay
    seconds: float = get_exponential_backoff_interval(
        factor=int(max(1.0, task.retry_backoff)),
        retries=call.attempts,
        maximum=int(task.retry_backoff_max),
        full_jitter=task.retry_jitter,
    )
    return seconds


def _from_now(seconds: float) -> Any:
    # SQLite writes a sum with more digits, which its comparison takes for later than the same time.
    return Now() + timedelta(seconds=seconds) if seconds else Now()


def _clean(text: str) -> str:
    return text.replace("\x00", "\\x00")  # PostgreSQL's text can't hold it
