"""The base task: ``delay_on_commit`` that is durable."""

from collections.abc import Mapping
from functools import lru_cache
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from asgiref.sync import sync_to_async
from celery import current_app
from celery.app.task import Task
from celery.contrib.django.task import DjangoTask

from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.pending import PendingCall
from aftercommit.outbox.task_options import DEFAULTS
from aftercommit.outbox.using import TaskUsing

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

if TYPE_CHECKING:
    _DjangoTask = DjangoTask
else:

    class _DjangoTask(DjangoTask):
        """Celery's class, which can be given types since Celery 5.5 only."""

        abstract = True
        __class_getitem__ = classmethod(GenericAlias)


STATEMENTS = ("INSERT", "UPDATE", "DELETE", "MERGE")
"""The statements that a task's ``sql`` can be."""


class OutboxTask(_DjangoTask[P, R_co]):
    """A Celery task whose ``delay_on_commit`` commits with the transaction, or not at all.

    ``delay`` and ``apply_async`` keep Celery's meaning and Celery's defaults: they send the
    arguments through the broker and run the function once, not durably.

    The options are arguments of ``@shared_task``: those below, and Celery's own, which mean what
    Celery says they mean. A durable call of a task that names none of Celery's retry options is
    tried nine times, with a growing delay, whatever it raises.
    """

    abstract = True

    batch: bool = DEFAULTS["batch"]
    """True if the function gets a list of calls instead of one call's arguments."""

    atomic: bool = DEFAULTS["atomic"]
    """True if a call's effects are in the database, so that they commit with its settlement. If
    not, the call runs outside any transaction, under a lease."""

    sql: str = DEFAULTS["sql"]
    """The same effect as the function's, as one of ``STATEMENTS`` for PostgreSQL. It settles a
    batch some five times as fast. It reads ``calls (id, created_at, args, kwargs, actor_id, actor,
    request_id, address)``; ``args`` and ``kwargs`` are jsonb. The function runs where the statement
    fails, so that each call has its own outcome, and on other databases."""

    batch_size: int = DEFAULTS["batch_size"]
    """The most calls that one transaction settles."""

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

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> PendingCall:  # type: ignore[override]  # Celery's returns None
        """Have the task called with these arguments if the current transaction commits.

        Returns the call, whose ``id`` is that of the task's request and result.
        """
        return call_on_commit(self, args, kwargs)

    async def adelay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> PendingCall:
        """Do what ``delay_on_commit`` does, from a coroutine, which has no transaction open."""
        return await sync_to_async(call_on_commit)(self, args, kwargs)

    if TYPE_CHECKING:

        def using(self, alias: str) -> TaskUsing[P]:
            """Return the task for calls in the database ``alias``, as ``QuerySet.using`` does.

            A receiver writes ``task.using(using).delay_on_commit(…)``, so that the call commits
            with the change that it follows. Raises TypeError or ConnectionDoesNotExist for an
            alias that DATABASES doesn't have.
            """

    else:
        # A method that Python need not call: it is looked up in a cache, since a request pays.
        using = lru_cache(maxsize=1024)(TaskUsing)

    # The function itself, as a method: a frame less in the request.
    apply_async_on_commit = call_on_commit  # type: ignore[assignment]  # Celery's returns None


class Finder(Protocol):
    """Finds tasks that are not Celery's own, and registers them as Celery tasks."""

    def find(self, name: str) -> Any:
        """Return the task of this name, which is registered then. Return None without one."""

    def register_all(self) -> None:
        """Register the tasks that this process has imported."""


_finders: list[Finder] = []


def add_finder(finder: Finder) -> None:
    """Have ``find_task`` ask the finder for a task that is not registered."""
    if finder not in _finders:
        _finders.append(finder)


def list_tasks() -> Mapping[str, Any]:
    """Return all tasks that this process has imported, by name."""
    for finder in _finders:
        finder.register_all()
    tasks: Mapping[str, Any] = current_app.tasks
    return tasks


def find_task(name: str) -> Any:
    """Return the task of this name, of any class; None if this code has none.

    A task that is not registered can be found by an import of its module. So the name has to be one
    from the project's own database.
    """
    task: Task[Any, Any] | None = current_app.tasks.get(name)
    if task is not None:
        return task
    return next(filter(None, (finder.find(name) for finder in _finders)), None)
