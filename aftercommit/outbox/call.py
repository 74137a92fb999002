"""One call of a task: what a receiver hands to on_commit, and what a worker runs."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
from secrets import randbits
from typing import Any
from uuid import UUID

from celery.exceptions import Retry
from kombu.utils import json as celery_json

from aftercommit.context import Context, current
from aftercommit.outbox.carriers import carriers

# A process counts on from a random number of 62 bits: the id is known before the row is written,
# without a look at the database, and the calls of a transaction keep their order. A hundred
# processes of a million calls each have an id in common once in half a billion such sites.
_ids = count(randbits(62))


def new_id() -> int:
    """Return an id for a new row, of a call or of a batch's journal."""
    return next(_ids)


def _renew_ids() -> None:
    global _ids
    _ids = count(randbits(62))


os.register_at_fork(after_in_child=_renew_ids)

DEEPEST = 100
"""How deep arguments may be nested. JSON is read by recursion, and a worker's stack is deeper."""

_encoder = celery_json.JSONEncoder()  # celery_json.dumps() makes one each time


class CallError(Exception):
    """A stored call can't be read. It is a dead letter; fix the cause and retry it."""


class SignatureError(TypeError):
    """The arguments are not those that the task's function takes."""


class Call:
    """A task's name, its arguments and its context."""

    __slots__ = (
        "args",
        "asked",
        "attempts",
        "carried",
        "context",
        "countdown",
        "crashes",
        "created_at",
        "eta",
        "exhausted",
        "is_due",
        "kwargs",
        "lease",
        "options",
        "payload",
        "pk",
        "raw_context",
        "stored",
        "task",
        "using",
    )

    pk: int
    created_at: datetime
    context: Context

    carried: Mapping[str, Any]
    """What carriers took along, by their names."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    lease: UUID

    options: Mapping[str, Any]
    """The call's own options, of those that ``call_on_commit`` takes."""

    asked: Retry | None
    """The retry that ``self.retry(throw=False)`` asked for."""

    exhausted: BaseException | None
    """The error that ``self.retry()`` raised because no retry was left."""

    def __init__(
        self,
        task: str,
        payload: str,
        raw_context: str,
        *,
        using: str,
        countdown: float | None = None,
        eta: datetime | None = None,
    ) -> None:
        self.pk = next(_ids)
        self.task = task
        self.payload = payload
        self.raw_context = raw_context
        self.using = using
        self.countdown = countdown
        self.eta = eta
        # Whether it can run as soon as it is committed. No property: a request asks three times.
        self.is_due = not countdown and eta is None
        self.stored = False
        self.attempts = self.crashes = 0
        self.asked = self.exhausted = None

    @property
    def id(self) -> str:
        """Return the call's id as Celery knows ids: ``task.request.id``, ``AsyncResult(id)``."""
        return str(self.pk)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<Call {self.pk} of {self.task}>"

    def decode(self) -> None:
        """Set ``args``, ``kwargs``, ``options`` and ``context`` from the stored text.

        Raises CallError.
        """
        try:
            # Celery's takes twice as long, to look for types that JSON hasn't got.
            loads = celery_json.loads if '"__type__"' in self.payload else json.loads
            self.args, self.kwargs, *options = loads(self.payload)
            context = json.loads(self.raw_context)
            self.context, self.carried = Context(*context[:4]), context[4:] and context[4]
            if not isinstance(self.args, list) or not isinstance(self.kwargs, dict):
                raise TypeError("expected a list and a mapping")
            self.options = options[0] if options else {}
        except Exception as error:
            raise CallError(
                f"{self.task} #{self.pk}: the stored arguments {self.payload[:200]!r} can't be "
                f"read ({error}). Expected [args, kwargs] in the JSON of Celery's serializer."
            ) from error


def encode_arguments(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> str:
    """Return the arguments as stored; raise TypeError naming the one that JSON can't carry."""
    try:
        payload = _encoder.encode([args, kwargs, options] if options else [args, kwargs])
    except (TypeError, ValueError, RecursionError) as error:
        _check_arguments(task, args, kwargs)
        raise TypeError(f"{task}: its arguments can't be stored: {error}") from error
    # What can't be nested deeply, and has no type's name in it, arrives as it is.
    if '"__type__"' in payload or payload.count("[") + payload.count("{") > DEEPEST:
        _check_arguments(task, args, kwargs)
    return payload


def _check_arguments(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    named = [(f"number {position}", value) for position, value in enumerate(args, start=1)]
    for name, value in [*named, *kwargs.items()]:
        try:
            _encoder.encode(value)
            _check_value(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(
                f"{task}: argument {name!r} is or holds what JSON can't carry: {error}. "
                "Pass plain data, or an object's primary key."
            ) from error


def _check_value(value: Any, depth: int = 0) -> None:
    """Raise ValueError for plain data that would not be read back as it was."""
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        if "__type__" in value:
            raise ValueError("the key '__type__', by which Celery's JSON names a type")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check_value(each, depth + 1)


@lru_cache(maxsize=64)  # the calls of a request share theirs
def _encode_context(context: Context) -> str:
    return json.dumps(context)


def encode_context(context: Context | None = None) -> str:
    """Return ``context``, or that of the code that runs now, as stored.

    What carriers take along stands behind it.
    """
    if carriers.in_use and (carried := carriers.capture()):
        return json.dumps([*(context or current()), carried])
    return _encode_context(context or current())
