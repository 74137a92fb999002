"""Who watches calls: receivers of Celery's signals, a task's own hooks, wrappers of its tracer."""

import weakref
from types import FunctionType
from typing import Any

from celery import signals
from celery.app import trace
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # not in its stubs
from celery.signals import task_postrun, task_prerun, worker_init

SIGNALS = (
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_failure,
    signals.task_retry,
)
HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


def has_listeners(task: Any) -> bool:
    """Return whether anybody is told of the task's calls."""
    return any(map(_has_receivers, SIGNALS)) or has_own_hooks(task)


def has_own_hooks(task: Any) -> bool:
    """Return whether the task's class has hooks of its own."""
    return any(trace.task_has_custom(task, name) for name in HOOKS)


def is_tracer_wrapped() -> bool:
    """Return whether a library has wrapped Celery's tracer, as error trackers do."""
    build: Any = trace.build_tracer
    return not isinstance(build, FunctionType) or build.__code__.co_filename != trace.__file__


def _has_receivers(signal: Any) -> bool:
    return any(not _is_ours(receiver) for _, receiver in signal.receivers or ())


def _is_ours(reference: Any) -> bool:
    """Return whether the receiver is one that keeps connections in order, for a message."""
    receiver = reference() if isinstance(reference, weakref.ref) else reference
    owner = getattr(receiver, "__self__", None)
    return isinstance(owner, DjangoWorkerFixup) or str(
        getattr(receiver, "__module__", "")
    ).startswith("aftercommit.")


# Celery's receivers of these two close all connections, unless the request is eager. A wrapped
# tracer sends the signals itself: the request is eager while they are sent, and not in between.
@task_postrun.connect
def task_postrun_shield(task: Any, **kwargs: Any) -> None:
    """Have Celery's receiver, which comes after this one, take the request for an eager one."""
    if task.request.get("outbox_calls"):
        task.request.is_eager = True


def task_prerun_unshield(task: Any, **kwargs: Any) -> None:
    """Have the function, which runs after the last receiver, see its request as it is."""
    if task.request.get("outbox_calls"):
        task.request.is_eager = False


@worker_init.connect
def worker_init_come_last(**kwargs: Any) -> None:
    """Connect behind Celery's own receiver, which is connected at this signal."""
    task_prerun.connect(task_prerun_unshield)
