"""The outbox's settings: each is ``OUTBOX_<NAME>`` in Django's settings, or this default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

TAG = "aftercommit"
"""The tag of the library's system checks."""


@dataclass(frozen=True)
class Conf:
    """The settings and their defaults; times are in seconds."""

    SWEEP_INTERVAL: float = 2
    """The time between two looks of a worker for due calls that no wake-up reached."""

    DRAIN_SECONDS: float = 5
    """The time after which a drain makes room for other tasks."""

    WAKE_TTL: float = 5
    """The time for which an unanswered wake-up holds back others for the same task. After the
    fourth in a row each does so for twice as long as the one before, up to two minutes."""

    CACHE: str = "default"
    """The alias of CACHES whose Redis shows the processes which wake-ups are under way. Its values
    are integers, whatever else the alias takes."""

    FLUSH_SECONDS: float = 2
    """The longest time that a process that exits waits for its last wake-ups to be sent."""

    UNKNOWN_TASK_GRACE: float = 3600
    """The time that a call waits for a worker that has its task, or whose function takes the call's
    arguments. After that it is a dead letter. A deploy must not take longer."""

    CRASH_GRACE: float | None = None
    """The age at which a batch's journal can be that of a dead process. It must be longer than a
    process waits for the database between claiming a batch and locking it. If None, 2, or 90 on a
    database without SKIP LOCKED, where that wait is for all other writers: three times 20 seconds.
    A call that kills its process runs on, in company, until then."""

    IDLE_LIMIT: float | None = None
    """The time after which the server ends a drain's idle transaction, so that others can run
    the calls of a host that froze or vanished. A call is idle too while it computes between two
    statements; one that is so for longer has failed. If None, DRAIN_SECONDS, the task's time_limit
    (or Celery's task_time_limit) and 5; a call that no time limit holds for is given an hour.
    MariaDB and MySQL end connections that are idle for as long as any task may be. SQLite ends
    none: there a frozen process keeps its lock."""

    MAX_CRASHES: int = 3
    """The number of processes that a call takes down before it is a dead letter."""

    MAX_AGE: float = 60
    """The age of a task's oldest due call at which the health check fails."""

    MAX_AGES: Mapping[str, float] = field(default_factory=dict)
    """The same for single tasks: ``{"notifications.tasks.send_delivery": 600}``."""

    MAX_FAILING_AGE: float | None = None
    """The time for which a call's attempts can fail before the health check fails. If None, 30
    times the MAX_AGE of its task: by default the last retry is over by then, and the call a dead
    letter. It is for the calls that don't end so: conflicts and outages count no attempt."""

    STALE_WORKER: float | None = None
    """The time after its last heartbeat at which a worker is named as stale. A worker writes one at
    each sweep. If None, 30, or three times SWEEP_INTERVAL where that is longer."""

    EVENTS: str = "failures"
    """The calls that a worker that sends task events shows in Flower: "failures", "all" or "none".
    An event costs a message; a successful call two or three."""

    CONTEXT: Mapping[str, str] = field(default_factory=dict)
    """More values that travel with a call, beside actor, request and address: your names, with the
    dotted names of carriers: ``{"language": "aftercommit.outbox.carriers.Language"}``."""

    HEALTH_SECONDS: float = 3
    """The time that the health check waits for the databases. A database that has not answered by
    then counts as unreachable."""


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
