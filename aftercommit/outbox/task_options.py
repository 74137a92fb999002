"""A task's options, as they hold for its durable calls."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from celery.app.task import Task
from celery.contrib.django.task import DjangoTask

DEFAULTS: dict[str, Any] = {
    "batch": False,
    "atomic": True,
    "sql": "",
    "batch_size": 500,
    "lease": 120,
    "max_retries": 8,
    "retry_backoff": True,
    "retry_backoff_max": 600,
    "retry_jitter": True,
    "default_retry_delay": Task.default_retry_delay,
    "autoretry_for": (),
    "dont_autoretry_for": (),
    "throws": (),
    "reject_on_worker_lost": False,
    "retry_on_worker_lost": False,
    "expires": None,
    "time_limit": None,
    "soft_time_limit": None,
}
"""The options of a task that doesn't name them itself. ``delay`` and ``apply_async`` have Celery's
defaults, which suit a message: three retries, each after three minutes."""

CELERYS = (Task, DjangoTask)
"""The classes whose attributes are defaults, and no choice of a task's author."""


@dataclass(frozen=True)
class Options:
    """The options of one task. Times are in seconds."""

    batch: bool
    """True if the function gets a list of calls instead of one call's arguments."""

    atomic: bool
    """True if a call's effects are in the calls' database, and commit with its end."""

    sql: str
    """One statement for PostgreSQL that does what the function does."""

    batch_size: int
    lease: float
    max_retries: int | None
    retry_backoff: bool | float
    retry_backoff_max: float
    retry_jitter: bool
    default_retry_delay: Any
    autoretry_for: tuple[type[BaseException], ...]
    dont_autoretry_for: tuple[type[BaseException], ...]
    throws: tuple[type[BaseException], ...]
    reject_on_worker_lost: bool
    retry_on_worker_lost: bool
    expires: float | datetime | None
    time_limit: float | None
    soft_time_limit: float | None

    @property
    def runs_again_if_lost(self) -> bool:
        """Return whether an outside call whose process was lost runs again, and is not uncertain.

        Of Celery's two names for this, the second came with Celery 5.7.
        """
        return self.reject_on_worker_lost or self.retry_on_worker_lost

    @classmethod
    def of(cls, task: Any) -> Self:
        """Return the options of a registered task of any class."""
        task = unwrap_task(task)
        values = {name: _option(task, name, value) for name, value in DEFAULTS.items()}
        return cls(**{**values, "max_retries": _as_limit(values["max_retries"])})


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


OWN: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "batch": ("True or False", _is_bool),
    "atomic": ("True or False", _is_bool),
    "batch_size": ("a positive whole number", _is_size),
    "lease": ("a positive number of seconds", _is_time),
}
"""The library's own options with what each can be. A batch of no calls would never run any, and a
lease that is over at once would let a call run twice."""


def check_own_options(task: Any) -> None:
    """Raise TypeError if one of the library's own options has a value that it can't have."""
    options = Options.of(task)
    for name, (expected, accepts) in OWN.items():
        if not accepts(value := getattr(options, name)):
            raise TypeError(f"{task.name} has {name}={value!r}. Expected {expected}.")


def unwrap_task(task: Any) -> Any:
    """Return the task behind what ``@shared_task`` returns, which only stands for it."""
    unwrap = getattr(task, "_get_current_object", None)
    return unwrap() if unwrap else task


def _as_limit(max_retries: Any) -> Any:
    """Return the number of retries as an integer, and None for ``math.inf``."""
    if not isinstance(max_retries, float) or math.isnan(max_retries):
        return max_retries
    return None if math.isinf(max_retries) else math.ceil(max_retries)


def _option(task: Any, name: str, default: Any) -> Any:
    """Return what the task, its class or the project's annotations say, else the default."""
    named = [task, *(each for each in type(task).__mro__ if each not in CELERYS)]
    for each in named:
        if name in vars(each):
            value = vars(each)[name]
            return default if value is None and name != "max_retries" else value
    return default
