"""The base task: ``delay_on_commit`` that is durable, and a wake-up that drains."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from celery import current_app
from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore, Retry
from django.db import DEFAULT_DB_ALIAS, connections

from core.context import use
from core.outbox.call import Call, SignatureError, encode_arguments, encode_context
from core.outbox.wake import HEADER, is_overtaken

if TYPE_CHECKING:
    _DjangoTask = DjangoTask[..., Any]
else:
    _DjangoTask = DjangoTask


STATEMENTS = ("INSERT", "UPDATE", "DELETE", "MERGE")
"""What a task's ``sql`` may be."""


class OutboxTask(_DjangoTask):
    """A Celery task whose ``delay_on_commit`` commits with the transaction, or not at all.

    ``delay`` and ``apply_async`` keep Celery's meaning: they send the arguments through the broker
    and run the function once, not durably.

    The options are arguments of ``@shared_task``. Celery's own (``max_retries``, ``retry_backoff``,
    ``retry_backoff_max``, ``retry_jitter``, ``default_retry_delay``, ``dont_autoretry_for``) hold
    for any exception that a call raises.
    """

    abstract = True

    batch = False
    """Whether the function gets a list of calls instead of one call's arguments."""

    atomic = True
    """Whether a call's effects are in the database, so that they commit with its settlement. If
    not, it runs outside any transaction, under a lease."""

    sql = ""
    """What the function does, as one of ``STATEMENTS`` for PostgreSQL, which settles a batch by it,
    some five times as fast. It reads ``calls (id, created_at, args, kwargs, actor_id, actor,
    request_id, address)``; ``args`` and ``kwargs`` are jsonb. The function runs where the statement
    fails, so that each call has its own outcome, and on other databases."""

    batch_size = 500
    """How many calls one transaction settles."""

    lease = 120
    """Seconds after which a call that isn't atomic is taken for lost with its process."""

    max_retries = 8
    retry_backoff = True
    retry_backoff_max = 600
    retry_jitter = True
    dont_autoretry_for: tuple[type[BaseException], ...] = ()

    reject_on_worker_lost = False
    """Whether a call that isn't atomic runs again after its process died in it. If not, it is held
    as uncertain until a person decides."""

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
        # A SELECT would not be run: nobody reads what it finds. The calls would be lost.
        if cls.sql and not cls.sql.lstrip().upper().startswith(STATEMENTS):
            raise TypeError(
                f"{cls.__name__}: sql={cls.sql!r} has no effect in the database. Begin it with one "
                f"of {', '.join(STATEMENTS)}; put a WITH or a SELECT inside."
            )

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as Celery: it returns None
        """Have the task called with these arguments if the current transaction commits."""
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(  # type: ignore[override]  # no routing: a wake-up has its task's
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        using: str | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        **options: Any,
    ) -> None:
        """Have the task called if the current transaction of database ``using`` commits.

        Not before ``countdown`` seconds after the commit or, given ``eta``, not before that time.
        Raises TypeError for arguments that JSON can't carry, and SignatureError, a TypeError, for
        those that the function doesn't take.
        """
        if options:
            raise TypeError(
                f"{self.name}: apply_async_on_commit() takes args, kwargs, using, countdown and "
                f"eta, not {', '.join(sorted(options))}. Route a task by CELERY_TASK_ROUTES."
            )
        if countdown is not None or eta is not None:
            _check_time(self.name, countdown, eta)
        args, kwargs = list(args or ()), dict(kwargs or {})
        self.check_signature(args, kwargs)
        call = Call(
            self.name,
            encode_arguments(self.name, args, kwargs),
            encode_context(),
            using=using or DEFAULT_DB_ALIAS,
            countdown=countdown,
            eta=eta,
        )
        connections[call.using].on_commit(call)  # what transaction.on_commit() does, in two calls

    def check_signature(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise SignatureError if the function doesn't take these arguments."""
        if self.typing and not self.batch:
            try:
                self.__header__(*args, **kwargs)  # type: ignore[attr-defined]  # Celery makes it
            except TypeError as error:
                raise SignatureError(f"{self.name}: {error}") from None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Drain, if a wake-up calls; else run the function."""
        headers: Mapping[str, Any] = self.request.headers or {}
        using = headers.get(HEADER)
        if using is None:
            return super().__call__(*args, **kwargs)
        from core.outbox.drain import drain_task
        from core.outbox.report import Report

        if is_overtaken(using, self.name, headers):
            return Report().as_result()
        return drain_task(self, using).as_result()

    def run_call(self, call: Call) -> None:
        """Run the function with the call's arguments, in its context.

        Raises CallError or SignatureError, or what the function raises.
        """
        call.decode()
        self.check_signature(call.args, call.kwargs)
        with use(call.context), suppress(Ignore):
            self._in_request(lambda: self.run(*call.args, **call.kwargs), call)

    def run_calls(self, calls: Sequence[Call]) -> None:
        """Run a batch task's function with the calls, which are decoded."""
        with suppress(Ignore):
            self._in_request(lambda: self.run(calls))

    def retry(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's retry; of a call in the outbox, by a later ``available_at`` of its row."""
        if not self.request.get("outbox_call"):
            return super().retry(*args, **kwargs)
        return self._retry_call(**kwargs)

    def _retry_call(
        self,
        exc: Exception | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        max_retries: int | None = None,
        **_: Any,
    ) -> NoReturn:
        limit = self.max_retries if max_retries is None else max_retries
        if limit is not None and self.request.retries >= limit:
            raise exc or self.MaxRetriesExceededError(f"{self.name}: {limit} retries used up")
        when: Any = eta if eta is not None else countdown
        when = self.default_retry_delay if when is None else when
        error: Any = Retry("", exc, when)
        error.max_retries = limit
        raise error from exc

    def _in_request(self, function: Callable[[], Any], call: Call | None = None) -> Any:
        self.push_request(
            id=self.request.id,
            retries=call.attempts if call else 0,
            called_directly=False,
            outbox_call=True,
        )
        try:
            return function()
        finally:
            self.pop_request()


def find_task(name: str) -> OutboxTask | None:
    """The task of this name, if this code has it and it can drain."""
    task = current_app.tasks.get(name)
    return task if isinstance(task, OutboxTask) else None


def _check_time(task: str, countdown: float | None, eta: datetime | None) -> None:
    if countdown is not None and not _is_seconds(countdown):
        raise TypeError(f"{task}: countdown={countdown!r} is not a number of seconds.")
    if eta is not None and countdown is not None:
        raise TypeError(f"{task}: give countdown or eta, not both.")
    if eta is not None and eta.tzinfo is None:
        raise TypeError(f"{task}: eta={eta!r} has no time zone. Give an aware datetime.")


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
