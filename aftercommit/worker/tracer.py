"""Run a call by Celery's tracer, where a library has wrapped the tracer to watch tasks.

The tracer is used for no other call: it takes a message's outcome for final, and a call's outcome
is final with the commit of its transaction.
"""

from types import FunctionType
from typing import Any

from celery import states
from celery.app import trace

from aftercommit.worker.listeners import log_failed_hook
from aftercommit.worker.request import CallRequest


def is_tracer_wrapped() -> bool:
    """Return whether a library has wrapped Celery's tracer, as error trackers do."""
    build: Any = trace.build_tracer
    # Not isinstance(): a proxy of wrapt says that it is a function, and shows the function's code.
    return type(build) is not FunctionType or build.__code__.co_filename != trace.__file__


class Tracer:
    """Celery's tracer of one task, with the library's wrapper around it."""

    def __init__(self, task: Any) -> None:
        # With "eager" the tracer stores no result. With "propagate" it raises what the task raises.
        self._trace: Any = trace.build_tracer(
            task.name, task, app=task.app, eager=True, propagate=True
        )

    def run(self, request: CallRequest) -> tuple[Any, str]:
        """Run the call; return its result and its state. Raises what the function raises.

        Raises what a hook raises, unless the hook comes after an effect outside the database.
        """
        ended: dict[str, Any] = {}
        values = {**vars(request), "is_eager": True, "utc": True, "outbox_ended": ended}
        try:
            outcome = self._trace(request.id, request.args, request.kwargs, values)
        except Exception:
            if request.get("outbox_atomic") or ended.get("state") != states.SUCCESS:
                raise
            log_failed_hook(request)
            return ended["retval"], states.SUCCESS
        if outcome.info is None:
            return outcome.retval, states.SUCCESS
        if outcome.info.state == states.REJECTED:
            raise outcome.info.retval  # The tracer raises all errors but Reject.
        return outcome.retval, outcome.info.state
