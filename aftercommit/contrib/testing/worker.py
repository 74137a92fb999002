"""Run a test's calls as a worker does, in the test's own process."""

import math
from datetime import timedelta
from typing import Any

from celery import current_app
from django.utils.module_loading import autodiscover_modules

from aftercommit.contrib.testing.callbacks import committing, store_waiting
from aftercommit.contrib.testing.clock import (
    longest_pauses,
    pass_time,
    pending_tasks,
    time_until_next,
)
from aftercommit.contrib.testing.databases import check_committed, require_aliases
from aftercommit.contrib.testing.report import KeepingSummary
from aftercommit.contrib.testing.runner import CallRunner
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain_state import DrainState
from aftercommit.worker.due import due_ages
from aftercommit.worker.sweep import recover
from aftercommit.worker.task_drain import drain

MAX_ROUNDS = 1000
"""The number of rounds after which a drain gives up. A call that calls its own task again, or is
retried without a limit, would keep the drain busy for ever."""

MARGIN = timedelta(milliseconds=1)
"""SQLite's clock tells milliseconds. A time that was moved must not be later than now for it."""


class EndlessCalls(AssertionError):
    """Calls go on to be due, however long the drain works."""


class Worker:
    """Runs the calls of the test's databases, without a broker and without sleeping."""

    def __init__(self) -> None:
        autodiscover_modules("tasks")
        check_not_eager()
        self.summary = KeepingSummary()
        self.passed = timedelta()
        self._aliases = require_aliases()
        self._rounds = 0
        check_committed(self._aliases)

    def run(self, limit: timedelta | None) -> None:
        """Run what is due, and what is due within the limit. Without a limit, run all."""
        for alias in self._aliases:
            store_waiting(alias)
        # The last round is for a call that became due while this looked for later ones.
        while self._run_round() or self._pass_to_next(limit) or self._run_round():
            pass
        if limit is not None and limit > self.passed:
            self._pass_time(limit - self.passed)

    def _run_round(self) -> bool:
        """Drain each task that has due calls once. Return whether a call was tried."""
        self._count_round()
        before = self.summary.total
        for alias in self._aliases:
            self.summary.dead += recover(alias)
            for task in [task for name in due_ages(alias) if (task := find_task(name))]:
                self._drain(task, alias)
        return self.summary.total > before

    def _drain(self, task: Any, alias: str) -> None:
        with committing(self._aliases), longest_pauses():
            drain(DrainState(CallRunner(task), alias, seconds=math.inf, summary=self.summary))

    def _count_round(self) -> None:
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            names = {name for alias in self._aliases for name in pending_tasks(alias)}
            raise EndlessCalls(
                f"drain() has run calls {MAX_ROUNDS} times, and there are more of "
                f"{', '.join(sorted(names))}. "
                "A call that makes itself anew, or is retried without a limit, never ends. Give "
                "drain(until=timedelta(…)), or let the test end it."
            )

    def _pass_to_next(self, limit: timedelta | None) -> bool:
        """Let time pass until the next call is due. Return False if none is within the limit."""
        waits = [wait for alias in self._aliases if (wait := time_until_next(alias)) is not None]
        wait = min(waits, default=None)
        if wait is None or (limit is not None and self.passed + wait > limit):
            return False
        self._pass_time(wait + MARGIN)
        return True

    def _pass_time(self, time: timedelta) -> None:
        """Let so much time pass in all databases."""
        self.passed += time
        for alias in self._aliases:
            pass_time(alias, time)


def check_not_eager() -> None:
    """Raise RuntimeError if calls run by themselves, so that a drain would find none."""
    if current_app.conf.task_always_eager:
        raise RuntimeError(
            "drain() has nothing to run: with CELERY_TASK_ALWAYS_EAGER calls run at the commit. "
            "Turn the setting off for this test, or run the calls of a TestCase with "
            "captureOnCommitCallbacks(execute=True)."
        )
