"""Run calls as their task: with a request, Celery's hooks, a time limit and a result."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from celery import signals, states
from celery._state import _task_stack  # type: ignore[attr-defined]  # not in its stubs
from celery.app import trace
from celery.exceptions import Ignore

from aftercommit.call import Call
from aftercommit.context import use
from aftercommit.outbox.carriers import carriers
from aftercommit.outbox.task_function import MisfitError, SignatureError, check_signature
from aftercommit.outbox.task_options import Options, unwrap_task
from aftercommit.worker import results
from aftercommit.worker.expiry import check_expiry
from aftercommit.worker.interrupted import as_exceptions
from aftercommit.worker.listeners import (
    has_listeners,
    run_with_listeners,
    send_signal,
)
from aftercommit.worker.request import CallRequest, adopt
from aftercommit.worker.time_limits import Limits, limit_time
from aftercommit.worker.tracer import Tracer, is_tracer_wrapped

NOT_RUN = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""The types of results that show that a function's code has not been run."""

NO_CARRIERS = nullcontext()

HOST = socket.gethostname()


class Runner:
    """Runs the calls of one task in one database.

    ``message`` is the request of the message that wakes the drain, if one does.
    """

    def __init__(self, task: Any, message: Any = None) -> None:
        self.task = task = unwrap_task(task)
        adopt(task)
        self.options = Options.of(task)
        self.limits = Limits.of(task)
        self.has_listeners = has_listeners(task)
        self.tracer = Tracer(task) if is_tracer_wrapped() else None
        self.hostname: str = getattr(message, "hostname", None) or f"outbox@{HOST}"
        self._function = task if _has_own_call(task) else task.run
        self._store_result: Callable[[], None] | None = None
        self._request_values = {
            "task": task.name,
            "hostname": self.hostname,
            "delivery_info": getattr(message, "delivery_info", None) or {},
            "outbox_atomic": self.options.atomic,
            "timelimit": (self.limits.hard, self.limits.soft),
            "time_limit": self.limits.hard,
            "soft_time_limit": self.limits.soft,
        }

    def read(self, call: Call) -> None:
        """Decode the call. Raises CallError if that fails, and Expired if the call is too late."""
        call.decode()
        if (expires := call.options.get("expires", self.options.expires)) is not None:
            check_expiry(call, expires)

    def run(self, call: Call) -> Any:
        """Run the function with the call's arguments, in its context; return its result.

        Raises CallError, MisfitError, Expired, or what the function raises.
        """
        self.read(call)
        try:
            check_signature(self.task, call.args, call.kwargs)
        except SignatureError as error:
            raise MisfitError(*error.args) from None
        with use(call.context), carriers.restored(call.carried) if call.carried else NO_CARRIERS:
            return self._run(self.build_request([call], call.args, call.kwargs))

    def run_batch(self, calls: Sequence[Call]) -> None:
        """Run a batch task's function with the calls, which are decoded."""
        self._run(self.build_request(calls, [calls], {}))

    def build_request(
        self, calls: Sequence[Call], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> CallRequest:
        """Return the request of a call, or of a batch, which has the first call's id."""
        call = calls[0]
        request = CallRequest(
            id=call.id,
            root_id=call.id,
            correlation_id=call.id,
            args=args,
            kwargs=kwargs,
            retries=call.attempts,
            headers={},
            outbox_calls=calls,
            **self._request_values,
        )
        if headers := call.options.get("headers"):
            request.add_headers(headers)
        return request

    def take_result_writer(self) -> Callable[[], None] | None:
        """Return what stores the last outside call's result; None if no result is kept.

        The transaction that marks the call as done has to call it.
        """
        writer, self._store_result = self._store_result, None
        return writer

    @contextmanager
    def as_current(self, request: CallRequest) -> Iterator[None]:
        """Have ``current_task`` and ``task.request`` be this task and this request."""
        _task_stack.push(self.task)
        self.task.request_stack.push(request)
        try:
            yield
        finally:
            self.task.request_stack.pop()
            _task_stack.pop()

    def _run(self, request: CallRequest) -> Any:
        with (
            as_exceptions(self.task.name),
            limit_time(self.limits, f"{self.task.name}[{request.id}]"),
        ):
            result, state = self._trace(request)
        if isinstance(result, NOT_RUN):
            raise TypeError(
                f"{self.task.name} returned {type(result).__name__}, of which nothing has been "
                "run. Write a plain function that returns its result."
            )
        call = request.outbox_calls[0]
        if state != states.SUCCESS:
            # A call that is ignored starts no links. One that is replaced has passed its links on.
            call.options = {**call.options, "link": ()}
        elif results.is_result_kept(self.task, call):
            self._keep_result(request, result)
        return result

    def _keep_result(self, request: CallRequest, result: Any) -> None:
        if self.options.atomic:
            results.store_result(self.task, request, result)
        else:
            store = results.store_outside_result
            self._store_result = partial(store, self.task, request, result)

    def _trace(self, request: CallRequest) -> tuple[Any, str]:
        """Return the function's result and the call's state. Raises what the function raises."""
        if self.tracer is not None:
            return self.tracer.run(request)
        with self.as_current(request):
            try:
                if self.has_listeners:
                    run = partial(self._call, request)
                    return run_with_listeners(self.task, request, run), states.SUCCESS
                return self._call(request), states.SUCCESS
            except Ignore as ignored:
                if self.has_listeners:
                    ending = {"retval": ignored, "state": states.IGNORED}
                    send_signal(signals.task_postrun, self.task, request, **ending)
                return None, states.IGNORED

    def _call(self, request: Any) -> Any:
        return self._function(*request.args, **request.kwargs)


def _has_own_call(task: Any) -> bool:
    """Return whether the task's class has a ``__call__`` of its own around its function."""
    if not trace.task_has_custom(task, "__call__"):
        return False
    # Celery's __call__, which the task's own may call, would push another request. A worker's
    # process has this protection against it, and a command's process has not.
    trace._install_stack_protection()  # type: ignore[attr-defined]  # not in its stubs
    return True
