"""Drain: settle what is due, of one task or of all, in this process."""

from dataclasses import replace
from typing import Any

from django.utils.module_loading import autodiscover_modules

from aftercommit.conf import conf
from aftercommit.db.aliases import outbox_aliases
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.due import due_ages
from aftercommit.worker.remote_limits import apply_time_limits
from aftercommit.worker.runner import Runner
from aftercommit.worker.summary import DrainSummary
from aftercommit.worker.sweep import recover
from aftercommit.worker.task_drain import drain
from aftercommit.worker.time_limits import hold_limits

IDLE_ROUNDS = 25
"""The number of rounds in a row, without the end of a call, after which ``drain_all`` gives up. A
call that retries itself at once, without a limit, would keep ``drain_all`` busy for ever."""


def drain_task(
    task: Any, using: str, seconds: float | None = None, message: Any = None
) -> DrainSummary:
    """Settle the task's due calls in database ``using``, for OUTBOX_DRAIN_SECONDS at most.

    ``message`` is the request of the wake-up that asked for the drain, if one did.
    """
    seconds = conf().DRAIN_SECONDS if seconds is None else seconds
    apply_time_limits()
    hold_limits()
    return drain(DrainState(Runner(task, message), using, seconds))


def drain_all(using: str | None = None) -> DrainSummary:
    """Settle all due calls in this process. Without ``using``, drain all databases.

    A task whose calls can't be settled does not keep other tasks from being drained. Its error is
    raised at the end.
    """
    autodiscover_modules("tasks")
    total = DrainSummary()
    errors: list[Exception] = []
    for alias in [using] if using else outbox_aliases():
        total.dead += recover(alias)
        _drain_database(alias, total, errors)
    if errors:
        raise errors[0]
    ages = [age for alias in outbox_aliases() for age in due_ages(alias).values()]
    return replace(total, oldest_age=max(ages, default=None))


def _drain_database(using: str, total: DrainSummary, errors: list[Exception]) -> None:
    """Drain in rounds until nothing is due, or no call ends in IDLE_ROUNDS rounds."""
    idle = 0
    while idle < IDLE_ROUNDS:
        ended = total.ended
        if not _drain_once(using, total, errors):
            return
        idle = idle + 1 if total.ended == ended else 0


def _drain_once(using: str, total: DrainSummary, errors: list[Exception]) -> int:
    """Drain each task that has due calls once; return how many calls were tried."""
    before = total.total
    for task in [task for name in due_ages(using) if (task := find_task(name))]:
        try:
            total.add(drain_task(task, using))
        except Exception as error:  # noqa: BLE001  # Raised after the other tasks were drained.
            errors.append(error)
    return total.total - before
