"""The options that one durable call can have, and its time."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.utils.functional import maybe_list

HONOURED = ("expires", "headers", "ignore_result", "link")
"""The options of Celery's ``apply_async`` that a durable call can have."""

FARTHEST = timedelta(days=36_525)
"""The farthest time from now at which a call can be due. Databases have dates up to the year 9999,
and a longer time is a mistake in the unit."""


def check_options(called: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they are stored. Raise TypeError for one that can't be kept."""
    task, by_statement = called.name, bool(getattr(called, "sql", ""))
    kept = {name: value for name, value in options.items() if value is not None}
    if refused := sorted(set(kept) - set(HONOURED)):
        raise TypeError(
            f"{task}: a durable call takes args, kwargs, using, countdown, eta and "
            f"{', '.join(HONOURED)}, not {', '.join(refused)}. Route a task by CELERY_TASK_ROUTES; "
            "its other options are arguments of @shared_task."
        )
    if kept and by_statement:
        raise TypeError(
            f"{task}: its calls are settled by its statement (sql=…), all at once, so that a call "
            f"can't have options of its own: {', '.join(sorted(kept))}. Leave them out."
        )
    if "expires" in kept:
        check_expires(task, kept["expires"])
    if not isinstance(ignored := kept.get("ignore_result", False), bool):
        raise TypeError(f"{task}: ignore_result={ignored!r} is neither True nor False.")
    if "headers" in kept:
        _check_headers(task, kept["headers"])
    if "link" in kept:
        kept["link"] = [_check_link(task, each) for each in maybe_list(kept["link"])]
    return kept


def _check_headers(task: str, headers: Any) -> None:
    if not isinstance(headers, Mapping) or not all(isinstance(name, str) for name in headers):
        raise TypeError(f"{task}: headers={headers!r} is not a mapping of names to values.")


def _check_link(task: str, link: Any) -> Any:
    if not isinstance(link, dict) or "task" not in link:  # a stored one is no Signature any more
        raise TypeError(f"{task}: link={link!r} is not a signature. Give task.s(…) or a list.")
    return link


def check_expires(task: str, expires: Any) -> None:
    """Raise TypeError unless ``expires`` is a number of seconds or an aware datetime."""
    aware = isinstance(expires, datetime) and expires.tzinfo is not None
    if not (_is_near(expires) if aware else _is_seconds(expires)):
        raise TypeError(
            f"{task}: expires={expires!r} is neither a number of seconds after the commit nor a "
            f"datetime with a time zone, at most {FARTHEST.days} days from now."
        )


def check_time(task: str, countdown: Any, eta: Any) -> None:
    """Raise TypeError unless one of the two says a time that a call can be due at."""
    if eta is not None and countdown is not None:
        raise TypeError(f"{task}: give countdown or eta, not both.")
    if countdown is not None and not _is_seconds(countdown):
        raise TypeError(
            f"{task}: countdown={countdown!r} is not a number of seconds of at most "
            f"{FARTHEST.days} days."
        )
    if eta is not None and not isinstance(eta, datetime):
        raise TypeError(f"{task}: eta={eta!r} is not a datetime.")
    if eta is not None and eta.tzinfo is None:
        raise TypeError(f"{task}: eta={eta!r} has no time zone. Give an aware datetime.")
    if eta is not None and not _is_near(eta):
        raise TypeError(f"{task}: eta={eta!r} is not within {FARTHEST.days} days from now.")


def _is_near(time: datetime) -> bool:
    # The years alone: with a time zone, datetime.max is beyond what Python can compare.
    return 1970 < time.year <= (datetime.now(UTC) + FARTHEST).year


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) <= FARTHEST.total_seconds()
