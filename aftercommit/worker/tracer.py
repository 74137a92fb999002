"""Run a call by Celery's tracer, where a library has wrapped the tracer to watch tasks.

The tracer is used for no other call: it takes a message's outcome for final, and a call's outcome
is final with the commit of its transaction.
"""

from types import FunctionType
from typing import Any

from celery import states
from celery.app import trace

from aftercommit.worker.request import CallRequest


def is_tracer_wrapped() -> bool:
    """Return whether a library has wrapped Celery's tracer, as error trackers do."""
    build: Any = trace.build_tracer
    return not isinstance(build, FunctionType) or build.__code__.co_filename != trace.__file__


class Tracer:
    """Celery's tracer of one task, with the library's wrapper around it."""

    def __init__(self, task: Any) -> None:
        # With "eager" the tracer stores no result. With "propagate" it raises what the task raises.
        self._trace: Any = trace.build_tracer(
            task.name, task, app=task.app, eager=True, propagate=True
        )

    def run(self, request: CallRequest) -> tuple[Any, str]:
        """Run the call; return its result and its state. Raises what the function raises."""
        values = {**vars(request), "is_eager": True, "utc": True}
        outcome = self._trace(request.id, request.args, request.kwargs, values)
        state = states.SUCCESS if outcome.info is None else outcome.info.state
        return outcome.retval, state
