"""Call a task durably: check the call, and hand it to on_commit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import current_app
from celery.canvas import Signature
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.connection import ConnectionDoesNotExist

from aftercommit.outbox.arguments import NAMED, POSITIONAL, check_containers, encode_arguments
from aftercommit.outbox.call_options import HONOURED, check_options, check_time
from aftercommit.outbox.carriers import encode_context
from aftercommit.outbox.eager import EagerCall, is_eager
from aftercommit.outbox.misuse_warnings import warn_of_other_transaction
from aftercommit.outbox.pending import PendingCall
from aftercommit.outbox.task_function import SignatureError, check_runnable, check_signature
from aftercommit.outbox.task_options import check_own_options
from aftercommit.outbox.watchers import watchers

START = "aftercommit.start"
"""The task that starts a canvas."""

_runnable: set[str] = set()
"""The names of the tasks whose function and options were accepted."""


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
    time. ``options`` can be ``expires``, ``headers``, ``ignore_result`` and ``link``, with Celery's
    meaning. Returns the call, whose ``id`` is that of the task's request and result.

    Raises TypeError for arguments that JSON can't carry and for options that can't be kept,
    SignatureError, a TypeError, for arguments that the function doesn't take, and
    ConnectionDoesNotExist for a database that DATABASES doesn't have.
    """
    if task.name not in _runnable:
        check_runnable(task)
        check_own_options(task)
        _runnable.add(task.name)
    if countdown is not None or eta is not None:
        check_time(task.name, countdown, eta)
    kept = check_options(task, options) if options else None
    if not isinstance(args, POSITIONAL) or not isinstance(kwargs, NAMED):
        check_containers(task.name, args, kwargs)
    args, kwargs = list(args or ()), dict(kwargs or {})
    # As check_signature() does: to call it would be a Python call more for each effect.
    if task.typing and not getattr(task, "batch", False):
        try:
            task.__header__(*args, **kwargs)
        except AttributeError:  # a task that is a class has none
            check_signature(task, args, kwargs)
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
    for watcher in watchers:
        watcher.see_made(call)
    try:
        connection.on_commit(callback)  # as transaction.on_commit() does, in fewer Python calls
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(_in_coroutine(task.name)) from error
    return call


def start_on_commit(
    signature: Signature,
    using: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> PendingCall:
    """Have a signature started if the current transaction of ``using`` commits.

    The signature of a single task becomes a durable call of the task. A canvas (``chain``,
    ``group``, ``chord``) is sent to the broker by a durable call. From there on it is Celery's.
    ``args`` and ``kwargs`` are those of the signature's ``apply_async()``. Raises the same errors
    as ``call_on_commit``.
    """
    args, kwargs = tuple(args or ()), dict(kwargs or {})
    options = {name: value for name, value in signature.options.items() if value is not None}
    task = current_app.tasks.get(str(signature.task))
    single = task is not None and type(signature) is Signature
    if single and not set(options) - {*HONOURED, "countdown", "eta"}:
        whole = signature.clone(args, kwargs)
        return call_on_commit(task, whole.args, whole.kwargs, using=using, **options)
    # A canvas has no place for arguments of its own. A chain, for example, gives them to its first.
    more = [args, kwargs] if args or kwargs else []
    return call_on_commit(current_app.tasks[START], [signature, *more], using=using)


def _in_coroutine(task: str) -> str:
    short = task.rpartition(".")[2]
    return (
        f"{task}: delay_on_commit was called in a coroutine. Write 'await "
        f"{short}.adelay_on_commit(…)', or call a function that calls it by sync_to_async."
    )


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
