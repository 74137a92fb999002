"""Celery's request for a durable call, and what its task can ask for by it.

That is a retry, another task in the call's place, and the tasks that are linked to the call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from celery import current_app
from celery.app.task import Context
from celery.canvas import Signature, maybe_signature
from celery.exceptions import Ignore, Retry

from aftercommit.call import Call
from aftercommit.outbox.arguments import encode_arguments
from aftercommit.outbox.calling import start_on_commit
from aftercommit.outbox.task_options import Options

FROZEN = ("task_id", "root_id", "parent_id", "reply_to", "replaced_task_nesting")
"""The options that Celery freezes in a signature that replaces a task. They are dropped, because
the call that replaces a call has an id of its own."""


class CallRequest(Context):
    """Celery's request, for one durable call or for a batch of them.

    Celery's constructor is not run. It looks through all values for headers, which costs more than
    a short call does.
    """

    called_directly = False
    utc = True
    outbox_calls: Sequence[Call]
    """The calls that run: one, or a batch."""

    def __init__(self, **values: Any) -> None:
        self.__dict__ = values

    def add_headers(self, headers: Mapping[str, Any]) -> None:
        """Set the call's headers. As in Celery each is an attribute, too, if its name is free."""
        self.headers = dict(headers)
        free = {name: value for name, value in headers.items() if not hasattr(self, name)}
        vars(self).update(free)


def adopt(task: Any) -> None:
    """Have ``self.retry()`` and ``self.replace()`` of the task mean its durable call.

    Outside durable calls they stay Celery's. They are set on the task and not on a base class, so
    that they hold for tasks of any class, and the request's side needs to know nothing of them.
    """
    if "retry" not in vars(task):
        task.retry = partial(retry, task, task.retry)
        task.on_replace = partial(replace, task, task.on_replace)


def retry(
    task: Any,
    celerys: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    exc: Exception | None = None,
    throw: bool = True,
    eta: Any = None,
    countdown: Any = None,
    max_retries: int | None = None,
    **options: Any,
) -> Retry:
    """Have a durable call run again later. Outside one, do what ``celerys`` does.

    ``celerys`` is the task's own ``retry``, which is Celery's or calls Celery's. Celery sends a
    message; a durable call's row is put off, with the new arguments if any are given. Raises Retry,
    unless ``throw`` is false, or the error that Celery raises when no retry is left.
    """
    calls = task.request.get("outbox_calls")
    if calls is None:
        again: Retry = celerys(args, kwargs, exc, throw, eta, countdown, max_retries, **options)
        return again
    changed = args is not None or kwargs is not None
    _check_retry(task, calls, options, changed)
    limit = Options.of(task).max_retries if max_retries is None else max_retries
    asked = {"args": args, "kwargs": kwargs, "exc": exc, "eta": eta, "countdown": countdown}
    # Not what is None: a task's own ``retry`` can have defaults for what nobody gave.
    given = {name: value for name, value in asked.items() if value is not None}
    with _as_eager(task):
        try:
            error: Any = celerys(**given, throw=False, max_retries=limit)
        except Exception as exhausted:
            for call in calls:
                call.exhausted = exhausted
            raise
    if changed:
        payload = encode_arguments(task.name, error.sig.args, error.sig.kwargs, calls[0].options)
        error.payload = payload
    # Celery has sent its message by now: the retry holds, also if the function catches the Retry.
    for call in calls:
        call.asked = error
    if throw:
        raise error from exc
    return error  # type: ignore[no-any-return]  # what Celery returns has no type


def replace(task: Any, celerys: Callable[[Signature], Any], sig: Signature) -> Any:
    """Have a durable call start ``sig`` on commit in its place. Outside one, do what Celery does.

    ``celerys`` is the task's own ``on_replace``.
    """
    calls = task.request.get("outbox_calls")
    if calls is None:
        return celerys(sig)
    call = calls[0]
    for link in call.options.get("link", ()):
        linked: Any = maybe_signature(link, app=task.app)
        sig.link(linked)
    for name in FROZEN:
        sig.options.pop(name, None)
    start_on_commit(sig, using=call.using)
    raise Ignore("Replaced by new task")


def start_links(call: Call, result: Any) -> None:
    """Have what is linked to the call started with what the call returned, in this transaction."""
    for link in call.options.get("link", ()):
        linked: Any = maybe_signature(link, app=current_app)
        start_on_commit(linked, call.using, (result,))


def _check_retry(task: Any, calls: Sequence[Call], options: Any, changed: bool) -> None:
    if options:
        raise TypeError(
            f"{task.name}: self.retry() of a durable call takes args, kwargs, exc, throw, eta, "
            f"countdown and max_retries, not {', '.join(sorted(options))}."
        )
    if changed and Options.of(task).batch:
        raise TypeError(
            f"{task.name}: self.retry() of a batch takes no args or kwargs: its calls have their "
            f"own, and {len(calls)} of them run now. Leave args and kwargs out."
        )


@contextmanager
def _as_eager(task: Any) -> Iterator[None]:
    """Have Celery's ``retry`` decide all that it decides, and send nothing."""
    task.request.is_eager = True
    try:
        yield
    finally:
        task.request.is_eager = False
        vars(task).pop("override_max_retries", None)  # Celery leaves it for the next call
