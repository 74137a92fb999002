"""The OPTIONS of the backend in TASKS, checked when the backend is made."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from celery.utils.time import rate
from django.db import DEFAULT_DB_ALIAS

from aftercommit.contrib.tasks.api import InvalidTaskBackend

PARAMS = ("BACKEND", "QUEUES", "OPTIONS")

WEEK = 7 * 86_400


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _is_rate(value: Any) -> bool:
    try:
        return isinstance(value, str) and rate(value) > 0
    except (ArithmeticError, KeyError, ValueError):
        return False


def _or_none(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or accepts(value)


YES_OR_NO = ("True or False", _is_bool)
SECONDS = ("a positive number of seconds", _is_seconds)
LIMIT = ("a positive number of seconds, or None for no limit", _or_none(_is_seconds))

TASK_OPTIONS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "atomic": YES_OR_NO,
    "batch_size": ("a positive whole number", lambda value: _is_count(value) and value > 0),
    "lease": SECONDS,
    "max_retries": ("a whole number from 0 on, or None for no limit", _or_none(_is_count)),
    "retry_backoff": (
        "True, False or a positive number of seconds",
        lambda value: _is_bool(value) or _is_seconds(value),
    ),
    "retry_backoff_max": SECONDS,
    "retry_jitter": YES_OR_NO,
    "default_retry_delay": SECONDS,
    "reject_on_worker_lost": YES_OR_NO,
    "time_limit": LIMIT,
    "soft_time_limit": LIMIT,
    "rate_limit": ("a text such as '10/m', or None for no limit", _or_none(_is_rate)),
}
"""The options that are those of a Celery task, with what each can be."""

OWN_OPTIONS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "database": ("the alias of a database", lambda value: isinstance(value, str)),
    "results": YES_OR_NO,
    "result_retention": ("a positive number of seconds, or None to keep results", LIMIT[1]),
}

ALL_OPTIONS = OWN_OPTIONS | TASK_OPTIONS


@dataclass(frozen=True)
class BackendOptions:
    """The options of one backend of TASKS. Times are in seconds."""

    database: str = DEFAULT_DB_ALIAS
    """The alias of the database that calls and results are in."""

    results: bool | None = None
    """True to keep results. If None, they are kept where the app with their table is installed."""

    result_retention: float | None = WEEK
    """The time for which a result is kept after its task has finished. None for ever."""

    of_task: tuple[tuple[str, Any], ...] = ()
    """The options that the backend's tasks have as Celery tasks."""

    @classmethod
    def of(cls, alias: str, params: Mapping[str, Any]) -> Self:
        """Return the options in TASKS[alias]. Raise InvalidTaskBackend for one that can't hold."""
        _check_params(alias, params)
        options = params.get("OPTIONS") or {}
        for name, value in options.items():
            _check_option(alias, name, value)
        own = {name: value for name, value in options.items() if name in OWN_OPTIONS}
        of_task = {name: value for name, value in options.items() if name in TASK_OPTIONS}
        return cls(**own, of_task=tuple(sorted(of_task.items())))


def _check_params(alias: str, params: Mapping[str, Any]) -> None:
    if "ENQUEUE_ON_COMMIT" in params:
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}] has ENQUEUE_ON_COMMIT. Remove it: a task that is enqueued commits "
            "with its transaction, and never without."
        )
    if unknown := sorted(set(params) - {*PARAMS}):
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}] has {', '.join(unknown)}. Expected {', '.join(PARAMS)}."
        )
    queues = params.get("QUEUES", ())
    if isinstance(queues, str) or not all(isinstance(each, str) for each in queues):
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}]['QUEUES'] is {queues!r}. Expected a list of names; an empty one "
            "allows any name."
        )
    if not isinstance(params.get("OPTIONS") or {}, Mapping):
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}]['OPTIONS'] is {params['OPTIONS']!r}. Expected a mapping of names "
            "to values."
        )


def _check_option(alias: str, name: str, value: Any) -> None:
    if name not in ALL_OPTIONS:
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}]['OPTIONS'] has {name!r}. These options are known: "
            f"{', '.join(ALL_OPTIONS)}."
        )
    expected, accepts = ALL_OPTIONS[name]
    if not accepts(value):
        raise InvalidTaskBackend(
            f"TASKS[{alias!r}]['OPTIONS'][{name!r}] is {value!r}. Expected {expected}."
        )
