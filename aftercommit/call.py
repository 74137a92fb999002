"""One durable call, as the function of a task with ``batch=True`` gets it, and as it is run.

A worker loads it from its row. The request that makes the call has an
``aftercommit.outbox.pending.PendingCall`` instead.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from celery.exceptions import Retry
from kombu.utils import json as celery_json

from aftercommit.context import Context


class CallError(Exception):
    """A stored call can't be read. It is a dead letter; fix the cause and retry it."""


class Identified:
    """A call's id, for every class of calls."""

    __slots__ = ()

    pk: int
    task: str

    @property
    def id(self) -> str:
        """Return the call's id as Celery knows ids: ``task.request.id``, ``AsyncResult(id)``."""
        return str(self.pk)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.pk} of {self.task}>"


class Call(Identified):
    """A stored call of a task, with its arguments and its context.

    ``args``, ``kwargs``, ``options``, ``context`` and ``carried`` are set by ``decode``, before
    the task's function runs.
    """

    __slots__ = (
        "args",
        "asked",
        "attempts",
        "carried",
        "context",
        "crashes",
        "created_at",
        "exhausted",
        "kwargs",
        "lease",
        "options",
        "payload",
        "pk",
        "raw_context",
        "task",
        "using",
    )

    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    options: Mapping[str, Any]
    """The call's own options, of those that ``call_on_commit`` takes."""

    context: Context
    """The actor, the request's id and the client's address that the call was made with."""

    carried: Mapping[str, Any]
    """The values that carriers (OUTBOX_CONTEXT) took along, by their names."""

    lease: UUID | None
    """The lease under which the call runs outside any transaction."""

    asked: Retry | None
    """The retry that ``self.retry()`` asked for."""

    exhausted: BaseException | None
    """The error that ``self.retry()`` raised because no retry was left."""

    def __init__(
        self,
        using: str,
        pk: int,
        task: str,
        payload: str,
        raw_context: str,
        attempts: int,
        crashes: int,
        created_at: datetime,
    ) -> None:
        self.using = using
        self.pk = pk
        self.task = task
        self.payload = payload
        self.raw_context = raw_context
        self.attempts = attempts
        self.crashes = crashes
        self.created_at = created_at
        self.lease = self.asked = self.exhausted = None

    def decode(self) -> None:
        """Set ``args``, ``kwargs``, ``options`` and ``context`` from the stored text.

        Raises CallError.
        """
        try:
            # Celery's decoder takes twice as long, because it looks for types that JSON hasn't got.
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
