"""The outbox's settings: each is ``OUTBOX_<NAME>`` in Django's settings, or this default."""

from dataclasses import dataclass, fields

from django.conf import settings


@dataclass(frozen=True)
class Conf:
    """The settings and their defaults; times are in seconds."""

    SWEEP_INTERVAL: float = 2
    """How often each worker looks for due calls that no wake-up reached."""

    DRAIN_SECONDS: float = 5
    """How long one run of a task drains before it makes room for other tasks."""

    WAKE_TTL: float = 10
    """How long an unanswered wake-up holds back another for the same task."""

    FLUSH_SECONDS: float = 2
    """How long a process that exits waits for its last wake-ups to be sent."""

    UNKNOWN_TASK_GRACE: float = 3600
    """How long a call waits for a worker that has its task, before it is a dead letter."""

    MAX_CRASHES: int = 3
    """How many processes a call may take down, before it is a dead letter."""


def conf() -> Conf:
    """The settings in force."""
    given = {field.name: getattr(settings, f"OUTBOX_{field.name}", None) for field in fields(Conf)}
    return Conf(**{name: value for name, value in given.items() if value is not None})
