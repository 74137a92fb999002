"""Calling a task durably: the arguments are checked, and handed to on_commit."""

import inspect
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import current_app
from celery.canvas import Signature
from celery.utils.functional import maybe_list
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.connection import ConnectionDoesNotExist

from aftercommit.outbox.arguments import encode_arguments
from aftercommit.outbox.carriers import encode_context
from aftercommit.outbox.eager import EagerCall, is_eager
from aftercommit.outbox.neighbours import warn_of_other_transaction
from aftercommit.outbox.pending import PendingCall


class SignatureError(TypeError):
    """The arguments are not those that the task's function takes."""


START = "aftercommit.start"
"""The task that starts a canvas."""

HONOURED = ("expires", "headers", "ignore_result", "link")
"""The options of Celery's ``apply_async`` that a durable call can have."""

LONGEST = timedelta(days=36_525)
"""How far away a call may be due."""

_runnable: set[str] = set()
"""The names of the tasks whose functions have been looked at."""


def call_on_commit(
    task: Any,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    using: str | None = None,
    countdown: float | None = None,
    eta: datetime | None = None,
    **options: Any,
) -> PendingCall:
    """Have any registered Celery task called if the current transaction of ``using`` commits.

    The call is due with the commit; ``countdown`` seconds after it; or, given ``eta``, at that
    time. ``options`` are those of ``HONOURED``, with Celery's meaning. Returns the call, whose
    ``id`` is that of the task's request and result.

    Raises TypeError for arguments that JSON can't carry and for options that can't be kept,
    SignatureError, a TypeError, for arguments that the function doesn't take, and
    ConnectionDoesNotExist for a database that DATABASES doesn't have.
    """
    if task.name not in _runnable:
        check_runnable(task)
    if countdown is not None or eta is not None:
        _check_time(task.name, countdown, eta)
    kept = _keep(task, options) if options else None
    args, kwargs = list(args or ()), dict(kwargs or {})
    # As check_signature() does: to call it would be a Python call more for each effect.
    if task.typing and not getattr(task, "batch", False):
        try:
            task.__header__(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{task.name}: {error}") from None
    call = PendingCall(
        task.name,
        encode_arguments(task.name, args, kwargs, kept),
        encode_context(),
        using=using or DEFAULT_DB_ALIAS,
        countdown=countdown,
        eta=eta,
    )
    callback = EagerCall(task, call) if is_eager(task) else call
    try:
        connection = connections[call.using]
    except (ConnectionDoesNotExist, TypeError):
        check_alias(task.name, using)
        raise
    if not connection.in_atomic_block:
        warn_of_other_transaction(task.name, connection)
    connection.on_commit(callback)  # what transaction.on_commit() does, in two calls
    return call


def start_on_commit(signature: Signature, using: str | None = None) -> PendingCall:
    """Have a signature started if the current transaction of ``using`` commits.

    That of a single task is a durable call of the task. A canvas (``chain``, ``group``, ``chord``)
    is sent to the broker by a durable call; from there on it is Celery's. Raises as
    ``call_on_commit``.
    """
    options = {name: value for name, value in signature.options.items() if value is not None}
    task = current_app.tasks.get(str(signature.task))
    single = task is not None and type(signature) is Signature
    if single and not set(options) - {*HONOURED, "countdown", "eta"}:
        return call_on_commit(task, signature.args, signature.kwargs, using=using, **options)
    return call_on_commit(current_app.tasks[START], [signature], using=using)


def check_alias(task: str, alias: Any) -> None:
    """Raise an error that names the databases that there are, unless ``alias`` is one of them."""
    known = f"DATABASES has {', '.join(map(repr, connections))}"
    if not isinstance(alias, str):
        raise TypeError(
            f"{task}: using={alias!r} is not the alias of a database; {known}. A receiver gets the "
            "alias as its argument `using`. An instance that was never saved has none."
        )
    if alias not in connections.settings:
        raise ConnectionDoesNotExist(f"{task}: there is no database {alias!r}; {known}.")


def check_signature(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise SignatureError if the task's function doesn't take these arguments."""
    if task.typing and not getattr(task, "batch", False):
        try:
            task.__header__(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{task.name}: {error}") from None


def check_runnable(task: Any) -> None:
    """Raise TypeError if calling the task's function would run none of its code."""
    function = inspect.unwrap(getattr(task, "_orig_run", task.run))
    for kind, is_kind in (
        ("a coroutine function", inspect.iscoroutinefunction),
        ("an asynchronous generator function", inspect.isasyncgenfunction),
        ("a generator function", inspect.isgeneratorfunction),
    ):
        if is_kind(function):
            raise TypeError(
                f"{task.name} is {kind}: a worker would call it and run nothing of it. Write a "
                "plain function, which may call asgiref.sync.async_to_sync(…) or list(…)."
            )
    _runnable.add(task.name)


def _keep(called: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they are stored; raise TypeError for one that can't be kept."""
    task, by_statement = called.name, bool(getattr(called, "sql", ""))
    kept = {name: value for name, value in options.items() if value is not None}
    if refused := sorted(set(kept) - set(HONOURED)):
        raise TypeError(
            f"{task}: a durable call takes args, kwargs, using, countdown, eta and "
            f"{', '.join(HONOURED)}, not {', '.join(refused)}. Route a task by CELERY_TASK_ROUTES; "
            "its other options are arguments of @shared_task."
        )
    if kept and by_statement:
        raise TypeError(
            f"{task}: its calls are settled by its statement (sql=…), all at once, so that a call "
            f"can't have options of its own: {', '.join(sorted(kept))}. Leave them out."
        )
    if "expires" in kept:
        check_expires(task, kept["expires"])
    if "link" in kept:
        kept["link"] = [_check_link(task, each) for each in maybe_list(kept["link"])]
    return kept


def _check_link(task: str, link: Any) -> Any:
    if not isinstance(link, dict) or "task" not in link:  # a stored one is no Signature any more
        raise TypeError(f"{task}: link={link!r} is not a signature. Give task.s(…) or a list.")
    return link


def check_expires(task: str, expires: Any) -> None:
    """Raise TypeError unless ``expires`` is a number of seconds or an aware datetime."""
    aware = isinstance(expires, datetime) and expires.tzinfo is not None
    if not aware and not _is_seconds(expires):
        raise TypeError(
            f"{task}: expires={expires!r} is neither a number of seconds after the commit, at most "
            f"{LONGEST.days} days, nor a datetime with a time zone."
        )


def _check_time(task: str, countdown: Any, eta: Any) -> None:
    if eta is not None and countdown is not None:
        raise TypeError(f"{task}: give countdown or eta, not both.")
    if countdown is not None and not _is_seconds(countdown):
        raise TypeError(
            f"{task}: countdown={countdown!r} is not a number of seconds of at most "
            f"{LONGEST.days} days."
        )
    if eta is not None and not isinstance(eta, datetime):
        raise TypeError(f"{task}: eta={eta!r} is not a datetime.")
    if eta is not None and eta.tzinfo is None:
        raise TypeError(f"{task}: eta={eta!r} has no time zone. Give an aware datetime.")
    if eta is not None and not 1970 < eta.year <= (datetime.now(UTC) + LONGEST).year:
        raise TypeError(f"{task}: eta={eta!r} is not within {LONGEST.days} days from now.")


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) <= LONGEST.total_seconds()
