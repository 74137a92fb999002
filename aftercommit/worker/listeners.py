"""Tell those who listen to calls: receivers of Celery's signals, and hooks of a task's class.

A task that nobody listens to pays nothing for this.
"""

import logging
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from celery import signals, states
from celery.app import trace
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # not in its stubs
from celery.signals import task_postrun, task_prerun, worker_init

from aftercommit.worker.request import CallRequest

logger = logging.getLogger(__name__)

SIGNALS = (
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_failure,
    signals.task_retry,
)
HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


def has_listeners(task: Any) -> bool:
    """Return whether anybody listens to the task's calls."""
    return any(map(_has_receivers, SIGNALS)) or has_own_hooks(task)


def has_own_hooks(task: Any) -> bool:
    """Return whether the task's class has hooks of its own."""
    return any(trace.task_has_custom(task, name) for name in HOOKS)


def run_with_listeners(task: Any, request: CallRequest, run: Callable[[], Any]) -> Any:
    """Run the function, and tell those who listen before and after it; return its result.

    What a hook raises makes an atomic call fail. After an effect outside the database it is logged:
    nothing is worth a second effect.
    """
    about = (request.id, request.args, request.kwargs)
    send_signal(signals.task_prerun, task, request)
    task.before_start(*about)
    begin = time.monotonic()
    result = run()
    runtime = time.monotonic() - begin
    with nullcontext() if request.get("outbox_atomic") else _logged(request):
        task.on_success(result, *about)
        signals.task_success.send(sender=task, result=result, runtime=runtime)
        task.after_return(states.SUCCESS, result, *about, None)
    send_signal(signals.task_postrun, task, request, retval=result, state=states.SUCCESS)
    return result


@contextmanager
def _logged(request: CallRequest) -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001  # A stranger's code; it is logged.
        log_failed_hook(request)


def log_failed_hook(request: CallRequest) -> None:
    """Log the error of a hook that came after an effect outside the database."""
    logger.exception("%s[%s]: a hook failed after the call", request.get("task"), request.id)


def send_signal(signal: Any, task: Any, request: CallRequest, **values: Any) -> None:
    """Send ``task_prerun`` or ``task_postrun``.

    At these Celery closes all connections to databases, also amid a transaction, unless the request
    is eager. So the request is eager while its receivers run.
    """
    request.is_eager = True
    try:
        signal.send(
            sender=task,
            task_id=request.id,
            task=task,
            args=request.args,
            kwargs=request.kwargs,
            **values,
        )
    finally:
        request.is_eager = False


def _has_receivers(signal: Any) -> bool:
    return any(not _is_housekeeping(receiver) for _, receiver in signal.receivers or ())


def _is_housekeeping(reference: Any) -> bool:
    """Return whether the receiver is Celery's or ours, and only keeps connections in order."""
    receiver = reference() if isinstance(reference, weakref.ref) else reference
    owner = getattr(receiver, "__self__", None)
    return isinstance(owner, DjangoWorkerFixup) or str(
        getattr(receiver, "__module__", "")
    ).startswith("aftercommit.")


# A wrapped tracer sends the two signals itself: there the request is made eager by these receivers,
# for as long as the receivers of the signal run.
@task_postrun.connect
def task_postrun_make_eager(task: Any, retval: Any, state: str | None, **kwargs: Any) -> None:
    """Have Celery's receiver, which comes after this one, take the request for an eager one.

    Tell the tracer's caller how the function ended. A hook can have raised since.
    """
    if task.request.get("outbox_calls"):
        task.request.is_eager = True
        task.request.get("outbox_ended", {}).update(retval=retval, state=state)


@task_prerun.connect
def task_prerun_make_not_eager(task: Any, **kwargs: Any) -> None:
    """Have the function, which runs after the last receiver, see its request as it is."""
    if task.request.get("outbox_calls"):
        task.request.is_eager = False


@worker_init.connect
def worker_init_come_last(**kwargs: Any) -> None:
    """Connect again, behind Celery's own receiver, which is connected at this signal."""
    task_prerun.disconnect(task_prerun_make_not_eager)
    task_prerun.connect(task_prerun_make_not_eager)
