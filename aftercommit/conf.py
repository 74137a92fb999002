"""The outbox's settings: each is ``OUTBOX_<NAME>`` in Django's settings, or this default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True)
class Conf:
    """The settings and their defaults; times are in seconds."""

    SWEEP_INTERVAL: float = 2
    """How often each worker looks for due calls that no wake-up reached."""

    DRAIN_SECONDS: float = 5
    """How long one run of a task drains before it makes room for other tasks."""

    WAKE_TTL: float = 5
    """How long a wake-up holds back another for the same task, if no drain answers it. After the
    fourth in a row each does so for twice as long as the one before, up to two minutes."""

    CACHE: str = "default"
    """The alias of CACHES whose Redis shows the processes which wake-ups are under way. Its values
    are integers, whatever else the alias takes."""

    FLUSH_SECONDS: float = 2
    """How long a process that exits waits for its last wake-ups to be sent."""

    UNKNOWN_TASK_GRACE: float = 3600
    """How long a call waits for a worker that has its task, or whose function takes the call's
    arguments, before it is a dead letter. A deploy must not take longer."""

    CRASH_GRACE: float | None = None
    """How old a batch's journal is before it may be a dead process's. It must be longer than a
    process waits for the database between claiming a batch and locking it. If None, 2, or 90 on a
    database without SKIP LOCKED, where that wait is for all other writers: three times 20 seconds.
    A call that kills its process runs on, in company, until then."""

    IDLE_LIMIT: float | None = None
    """How long a drain's transaction may be idle before the server ends it, so that others can run
    the calls of a host that froze or vanished. A call is idle too while it computes between two
    statements; one that is so for longer has failed. If None, DRAIN_SECONDS, the task's time_limit
    (or Celery's task_time_limit) and 5; a call that no time limit holds for is given an hour.
    MariaDB and MySQL end connections that are idle for as long as any task may be. SQLite ends
    none: there a frozen process keeps its lock."""

    MAX_CRASHES: int = 3
    """How many processes a call may take down, before it is a dead letter."""

    MAX_AGE: float = 60
    """How long a task's oldest due call may have been due, before the health check fails."""

    MAX_AGES: Mapping[str, float] = field(default_factory=dict)
    """The same for single tasks: ``{"notifications.tasks.send_delivery": 600}``."""

    MAX_FAILING_AGE: float | None = None
    """How long the attempts of a call may have failed, before the health check fails. If None, 30
    times the MAX_AGE of its task: by default the last retry is over by then, and the call a dead
    letter. It is for the calls that don't end so: conflicts and outages count no attempt."""

    STALE_WORKER: float | None = None
    """How long after its last heartbeat a worker is named as stale. A worker writes one at each
    sweep. If None, 30, or three times SWEEP_INTERVAL where that is longer."""

    EVENTS: str = "failures"
    """Which calls a worker that sends task events shows in Flower: "failures", "all" or "none". An
    event costs a message; a successful call two or three."""

    CONTEXT: Mapping[str, str] = field(default_factory=dict)
    """What else travels with a call, beside actor, request and address: names of yours, with the
    dotted names of carriers: ``{"language": "aftercommit.outbox.carriers.Language"}``."""

    HEALTH_SECONDS: float = 3
    """How long the health check waits for the databases; one that has not answered then counts as
    unreachable."""


@cache
def conf() -> Conf:
    """Return the settings in force. They are read once: reading them costs a tenth of a wake-up."""
    given = {each.name: getattr(settings, f"OUTBOX_{each.name}", None) for each in fields(Conf)}
    return Conf(**{name: value for name, value in given.items() if value is not None})


@receiver(setting_changed)
def setting_changed_read_again(setting: str, **kwargs: Any) -> None:
    """Read the settings again after a test has changed one."""
    if setting.startswith("OUTBOX_"):
        conf.cache_clear()
