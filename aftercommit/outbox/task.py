"""The base task: ``delay_on_commit`` that is durable."""

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from celery import current_app
from celery.app.task import Task
from celery.contrib.django.task import DjangoTask

from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.options import DEFAULTS
from aftercommit.outbox.pending import PendingCall

if TYPE_CHECKING:
    _DjangoTask = DjangoTask[..., Any]
else:
    _DjangoTask = DjangoTask


STATEMENTS = ("INSERT", "UPDATE", "DELETE", "MERGE")
"""What a task's ``sql`` may be."""


class OutboxTask(_DjangoTask):
    """A Celery task whose ``delay_on_commit`` commits with the transaction, or not at all.

    ``delay`` and ``apply_async`` keep Celery's meaning and Celery's defaults: they send the
    arguments through the broker and run the function once, not durably.

    The options are arguments of ``@shared_task``: those below, and Celery's own, which mean what
    Celery says they mean. A durable call of a task that names none of Celery's retry options is
    tried nine times, with a growing delay, whatever it raises (see ``options.py``).
    """

    abstract = True

    batch: bool = DEFAULTS["batch"]
    """Whether the function gets a list of calls instead of one call's arguments."""

    atomic: bool = DEFAULTS["atomic"]
    """Whether a call's effects are in the database, so that they commit with its settlement. If
    not, it runs outside any transaction, under a lease."""

    sql: str = DEFAULTS["sql"]
    """What the function does, as one of ``STATEMENTS`` for PostgreSQL, which settles a batch by it,
    some five times as fast. It reads ``calls (id, created_at, args, kwargs, actor_id, actor,
    request_id, address)``; ``args`` and ``kwargs`` are jsonb. The function runs where the statement
    fails, so that each call has its own outcome, and on other databases."""

    batch_size: int = DEFAULTS["batch_size"]
    """How many calls one transaction settles."""

    lease: float = DEFAULTS["lease"]
    """Seconds after which a call that isn't atomic is taken for lost with its process."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.batch and not cls.atomic:
            raise TypeError(
                f"{cls.__name__}: batch=True and atomic=False exclude each other. Outside effects "
                "are settled one by one; drop one of the two options."
            )
        if cls.sql and not cls.atomic:
            raise TypeError(
                f"{cls.__name__}: sql={cls.sql!r} and atomic=False exclude each other. "
                "A statement's effects are in the database; drop one of the two options."
            )
        if cls.sql and getattr(cls, "expires", None) is not None:
            raise TypeError(
                f"{cls.__name__}: sql={cls.sql!r} and expires={cls.expires!r} exclude each other. "
                "Have the statement leave out what is too late; drop one of the two options."
            )
        # A SELECT would not be run: nobody reads what it finds. The calls would be lost.
        if cls.sql and not cls.sql.lstrip().upper().startswith(STATEMENTS):
            raise TypeError(
                f"{cls.__name__}: sql={cls.sql!r} has no effect in the database. Begin it with one "
                f"of {', '.join(STATEMENTS)}; put a WITH or a SELECT inside."
            )

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> PendingCall:  # type: ignore[override]  # Celery's returns None
        """Have the task called with these arguments if the current transaction commits.

        Returns the call, whose ``id`` is that of the task's request and result.
        """
        return call_on_commit(self, args, kwargs)

    async def adelay_on_commit(self, *args: Any, **kwargs: Any) -> PendingCall:
        """Do what ``delay_on_commit`` does, from a coroutine, which has no transaction open."""
        return await sync_to_async(call_on_commit)(self, args, kwargs)

    # The function itself, as a method: a frame less in the request.
    apply_async_on_commit = call_on_commit  # type: ignore[assignment]  # Celery's returns None


def find_task(name: str) -> Any:
    """Return the registered task of this name, of any class; None if this code has none."""
    task: Task[Any, Any] | None = current_app.tasks.get(name)
    return task
