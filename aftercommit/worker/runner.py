"""Running calls as their task: with a request, Celery's hooks and signals, a limit and a result.

Celery's own tracer is not used for it, but where a library has put a wrapper around the tracer: it
takes a message's outcome for final, and a call's outcome is final with the transaction's commit.
What nobody has connected to costs nothing.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from celery import signals, states
from celery._state import _task_stack  # type: ignore[attr-defined]  # not in its stubs
from celery.app import trace
from celery.exceptions import Ignore
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.context import use
from aftercommit.outbox.calling import check_signature
from aftercommit.outbox.carriers import carriers
from aftercommit.outbox.options import Options, the_task
from aftercommit.worker import results
from aftercommit.worker.listeners import has_listeners, has_own_hooks, is_tracer_wrapped
from aftercommit.worker.loading import rows_of
from aftercommit.worker.request import CallRequest, adopt
from aftercommit.worker.time_limits import Limits, limit_time

logger = logging.getLogger(__name__)

UNRUN = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""What a function returns of which nothing has been run."""

NOTHING = nullcontext()

HOST = socket.gethostname()


class Expired(Exception):
    """The call is too late: its ``expires`` is over. Nothing was run."""


def _wraps_calls(task: Any) -> bool:
    """Return whether the task's class has a ``__call__`` of its own around its function."""
    if not trace.task_has_custom(task, "__call__"):
        return False
    # Celery's __call__, which it may call in turn, would push another request. A worker's process
    # has this protection against it; a command's has not.
    trace._install_stack_protection()  # type: ignore[attr-defined]  # not in its stubs
    return True


@contextmanager
def _logged(request: CallRequest) -> Iterator[None]:
    """Log what a hook raises after an effect outside the database: it must not be had again."""
    try:
        yield
    except Exception:
        logger.exception("%s[%s]: a hook failed after the call", request.get("task"), request.id)


class Runner:
    """Runs the calls of one task in one database.

    ``message`` is the request of the message that wakes the drain, if one does.
    """

    def __init__(self, task: Any, message: Any = None) -> None:
        self.task = task = the_task(task)
        adopt(task)
        self.options = Options.of(task)
        self.limits = Limits.of(task)
        self.watched = has_listeners(task)
        """Whether somebody is told of each call."""
        # By Celery's tracer an outside effect would be had again if a hook fails after it.
        by_tracer = is_tracer_wrapped() and (self.options.atomic or not has_own_hooks(task))
        self.traced: Any = self._build_tracer() if by_tracer else None
        self._function = task if _wraps_calls(task) else task.run
        self.hostname: str = getattr(message, "hostname", None) or f"outbox@{HOST}"
        self._unkept: Callable[[], None] | None = None
        self._base = {
            "task": task.name,
            "hostname": self.hostname,
            "delivery_info": getattr(message, "delivery_info", None) or {},
            "outbox_atomic": self.options.atomic,
        }

    def read(self, call: Call) -> None:
        """Decode the call; raise CallError if that fails, and Expired if the call is too late."""
        call.decode()
        if (expires := call.options.get("expires", self.options.expires)) is not None:
            self._check_expiry(call, expires)

    def run(self, call: Call) -> Any:
        """Run the function with the call's arguments, in its context; return its result.

        Raises CallError, SignatureError, Expired, or what the function raises.
        """
        self.read(call)
        check_signature(self.task, call.args, call.kwargs)
        with use(call.context), carriers.restored(call.carried) if call.carried else NOTHING:
            return self._run(self.request_of([call], call.args, call.kwargs))

    def run_batch(self, calls: Sequence[Call]) -> None:
        """Run a batch task's function with the calls, which are decoded."""
        self._run(self.request_of(calls, [calls], {}))

    def request_of(
        self, calls: Sequence[Call], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> CallRequest:
        """Return the request of a call, or of a batch, which has the first call's id."""
        call = calls[0]
        return CallRequest(
            id=call.id,
            root_id=call.id,
            correlation_id=call.id,
            args=args,
            kwargs=kwargs,
            retries=call.attempts,
            headers=call.options.get("headers") or {},
            timelimit=(self.limits.hard, self.limits.soft),
            outbox_calls=calls,
            **self._base,
        )

    def _check_expiry(self, call: Call, expires: Any) -> None:
        rows = rows_of(call).annotate(now=Now())
        if isinstance(expires, datetime):
            late = rows.filter(now__gte=expires)
        else:
            late = rows.filter(created_at__lte=Now() - timedelta(seconds=expires))
        if late.exists():
            raise Expired(f"{call.task}[{call}]: not run, since it expired (expires={expires})")

    def _run(self, request: CallRequest) -> Any:
        with limit_time(self.limits, f"{self.task.name}[{request.id}]"):
            result, state = self._trace(request)
        if isinstance(result, UNRUN):
            raise TypeError(
                f"{self.task.name} returned {type(result).__name__}, of which nothing has been "
                "run. Write a plain function that returns its result."
            )
        call = request.outbox_calls[0]
        if state != states.SUCCESS:
            # A call that is ignored calls nobody. One that is replaced has passed its links on.
            call.options = {**call.options, "link": ()}
        elif results.is_result_kept(self.task, call):
            self._keep(request, result)
        return result

    def _keep(self, request: CallRequest, result: Any) -> None:
        if self.options.atomic:
            results.store_result(self.task, request, result)
        else:
            self._unkept = partial(results.store_outside_result, self.task, request, result)

    def take_unkept(self) -> Callable[[], None] | None:
        """Return what keeps the last outside call's result; None if no result is to be kept.

        It is to be called in the transaction that marks the call as done.
        """
        unkept, self._unkept = self._unkept, None
        return unkept

    def _trace(self, request: CallRequest) -> tuple[Any, str]:
        """Return what the function returned, or raise what it raised; and the state."""
        if self.traced is not None:
            return self._run_traced(request)
        with self.current(request):
            try:
                if self.watched:
                    return self._run_watched(request), states.SUCCESS
                return self._call(request), states.SUCCESS
            except Ignore as ignored:
                if self.watched:
                    self.send(signals.task_postrun, request, retval=ignored, state=states.IGNORED)
                return None, states.IGNORED

    def _call(self, request: Any) -> Any:
        return self._function(*request.args, **request.kwargs)

    @contextmanager
    def current(self, request: CallRequest) -> Iterator[None]:
        """Have ``current_task`` and ``task.request`` be this task and this request."""
        _task_stack.push(self.task)
        self.task.request_stack.push(request)
        try:
            yield
        finally:
            self.task.request_stack.pop()
            _task_stack.pop()

    def _run_watched(self, request: CallRequest) -> Any:
        task, about = self.task, (request.id, request.args, request.kwargs)
        self.send(signals.task_prerun, request)
        task.before_start(*about)
        begin = time.monotonic()
        result = self._call(request)
        runtime = time.monotonic() - begin
        with nullcontext() if self.options.atomic else _logged(request):
            task.on_success(result, *about)
            signals.task_success.send(sender=task, result=result, runtime=runtime)
            task.after_return(states.SUCCESS, result, *about, None)
        self.send(signals.task_postrun, request, retval=result, state=states.SUCCESS)
        return result

    def send(self, signal: Any, request: CallRequest, **values: Any) -> None:
        """Send ``task_prerun`` or ``task_postrun``.

        Celery closes all connections to databases at these, amid a transaction too, unless the
        request is an eager one.
        """
        request.is_eager = True
        try:
            signal.send(
                sender=self.task,
                task_id=request.id,
                task=self.task,
                args=request.args,
                kwargs=request.kwargs,
                **values,
            )
        finally:
            request.is_eager = False

    def _build_tracer(self) -> Any:
        # With these two it raises what the function raises, and stores no result.
        return trace.build_tracer(
            self.task.name, self.task, app=self.task.app, eager=True, propagate=True
        )

    def _run_traced(self, request: CallRequest) -> tuple[Any, str]:
        values = {**vars(request), "is_eager": True, "utc": True}
        outcome = self.traced(request.id, request.args, request.kwargs, values)
        state = states.SUCCESS if outcome.info is None else outcome.info.state
        return outcome.retval, state
