"""Log calls that failed, one line each."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from aftercommit.call import Call
from aftercommit.printable import escape_controls, make_printable
from aftercommit.worker.error_text import format_error, summarize_error

logger = logging.getLogger(__name__)


def _format_safely(record: logging.LogRecord) -> bool:
    """Give handlers a traceback that any file can hold, and that gives no terminal an order.

    With another they would lose the record.
    """
    if record.exc_info and record.exc_info[1]:
        record.exc_text = escape_controls(format_error(record.exc_info[1]))
    return True


logger.addFilter(_format_safely)


def log_fields(call: Call) -> dict[str, Any]:
    """Return the fields that name the call's attempt, for logs that keep a record's fields."""
    return {
        "task": call.task,
        "call_id": call.id,
        "request_id": _request_id(call),
        "attempt": call.attempts + 1,
    }


def _request_id(call: Call) -> str:
    try:
        return make_printable(str(json.loads(call.raw_context)[2]))
    except Exception:  # noqa: BLE001  # A context that can't be read names no request.
        return ""


def log_failure(
    call: Call,
    limit: Any,
    error: BaseException,
    level: int,
    fate: str,
) -> None:
    """Log what became of the call in one line, and at the level ERROR with the traceback."""
    log_safely(
        level,
        "%s[%s] of request %s: attempt %s of %s %s: %s",
        *(call.task, call.id, _request_id(call) or "-"),
        *(call.attempts + 1, _all_attempts(limit), fate, summarize_error(error)),
        extra=log_fields(call),
        exc_info=error if level >= logging.ERROR else None,
    )


def _all_attempts(limit: Any) -> str:
    return str(limit + 1) if isinstance(limit, int) else "any"


def log_safely(
    level: int,
    message: str,
    *args: Any,
    extra: Mapping[str, Any],
    exc_info: BaseException | None = None,
) -> None:
    """Log a message. Leave the fields and the traceback out if a project's logging refuses them."""
    try:
        logger.log(level, message, *args, extra=extra, exc_info=exc_info)
    except Exception as failure:  # noqa: BLE001  # A record factory can have fields of the same names.
        logger.log(level, f"{message} (logged in short: %s)", *args, summarize_error(failure))
