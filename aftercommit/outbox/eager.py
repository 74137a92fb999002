"""Calls without a worker: Celery's ``task_always_eager``, for tests and for the first steps.

A call then runs in the process that commits, right after the commit, and is no row. Like Celery's
own eager tasks it is not durable.
"""

import logging
from typing import Any

from django.core.signals import setting_changed
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone

from aftercommit.call import Call
from aftercommit.context import use
from aftercommit.outbox.carriers import carriers
from aftercommit.outbox.record import CallRecord
from aftercommit.outbox.task_options import Options
from aftercommit.outbox.watchers import watchers

logger = logging.getLogger(__name__)

SETTING = "task_always_eager"

CELERYS = ("headers", "link", "ignore_result")
"""The options of a call that Celery's ``apply()`` takes."""

_configured: dict[Any, bool] = {}
"""For each Celery app, what its configuration said when it was last read."""


class EagerCall:
    """The on_commit callback of a call that runs at once."""

    __slots__ = ("record", "task")

    def __init__(self, task: Any, record: CallRecord) -> None:
        self.task = task
        self.record = record

    def __call__(self) -> None:
        """Run the call as ``task.apply()`` does, in its context.

        Raises what the function or a carrier raises if ``task_eager_propagates`` says so, and logs
        it if not.
        """
        for watcher in watchers:
            watcher.see_committed([self.record])
        call = self._load()
        try:
            with use(call.context), carriers.restored(call.carried):
                result = self._run(call)
        except Exception:
            if self.task.app.conf.task_eager_propagates:
                raise
            logger.exception("%s[%s]: failed", call.task, call.id)
            return
        if end := getattr(self.task, "end_eager_call", None):
            end(call, result)

    def _run(self, call: Call) -> Any:
        """Run the call, in a transaction if its task's calls are atomic; return Celery's result."""
        options = Options.of(self.task)
        args, kwargs = ([[call]], {}) if options.batch else (call.args, call.kwargs)
        own = {name: call.options[name] for name in CELERYS if name in call.options}
        if not options.atomic:
            return self.task.apply(args, kwargs, task_id=call.id, **own)
        with transaction.atomic(using=call.using):
            result = self.task.apply(args, kwargs, task_id=call.id, **own)
            if result.failed():
                transaction.set_rollback(True, using=call.using)
        return result

    def _load(self) -> Call:
        """Return the call as a worker would load it from its row."""
        made = self.record
        values = (made.pk, made.task, made.payload, made.raw_context)
        call = Call(made.using, *values, attempts=0, crashes=0, created_at=timezone.now())
        call.decode()
        return call


def is_eager(task: Any) -> bool:
    """Return whether the task's app runs tasks at once.

    The request pays for the answer at each call, so Celery is asked once: to look a setting up
    costs as much as the call. What is set on ``app.conf`` is seen at once.
    """
    app = task.app
    changed = app.conf.maps[0]
    if SETTING in changed:
        return bool(changed[SETTING])
    if app not in _configured:
        _configured[app] = bool(app.conf[SETTING])
    return _configured[app]


@receiver(setting_changed)
def setting_changed_ask_again(**kwargs: Any) -> None:
    """Ask Celery again after a test has changed a setting."""
    _configured.clear()
