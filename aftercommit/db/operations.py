"""The interface to what databases do differently, and the standard way through Django's ORM.

``outbox_ops(connection)`` in ``vendors.py`` returns a connection's operations. A vendor's own SQL
is in a subclass, in the folder of its backend. The model is Django's ``connection.ops``. These are
apart from it, so that another backend's ``ops_class`` (PostGIS, say) can be combined with ours.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import NotSupportedError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.db.answers import COLUMNS, Claimed, Exchanged, Position, Row, Settled
from aftercommit.db.inserts import InsertOperations

if TYPE_CHECKING:
    from aftercommit.models import OutboxBatch, OutboxCall


class OutboxOperations(InsertOperations):
    """Do what the outbox asks of a database.

    A method here works on any database that has an outbox, by several statements of the ORM. A
    subclass does the same with fewer, or with what only its database has.
    """

    largest_batch: ClassVar[int | None] = None
    """The most calls that a batch can have, whatever its task says."""

    crash_grace: ClassVar[float] = 2
    """Seconds between the commit of a batch's journal and the lock of its rows, at most. So long a
    process that lives looks like a dead one."""

    table_setup: ClassVar[str | None] = None
    """The statement by which the migration fits the table of calls to this database."""

    table_setup_undone: ClassVar[str | None] = None
    """The statement that undoes ``table_setup``."""

    def lost_in_pooler(self) -> list[tuple[str, str]]:
        """Return what a pooler in front of the database does not keep, each with what to do."""
        return []

    pending_tasks_sql: ClassVar[str] = """
        WITH RECURSIVE tasks (task) AS (
            SELECT min(task) FROM aftercommit_outboxcall WHERE status = 'pending'
            UNION ALL
            SELECT (
                SELECT min(task) FROM aftercommit_outboxcall
                WHERE status = 'pending' AND aftercommit_outboxcall.task > tasks.task
            ) FROM tasks WHERE tasks.task IS NOT NULL
        )
        SELECT task FROM tasks WHERE task IS NOT NULL
    """
    """One index probe a task, where SELECT DISTINCT would read the whole backlog."""

    @property
    def calls(self) -> "QuerySet[OutboxCall]":
        """Return the table of calls in this database."""
        from aftercommit.models import OutboxCall  # Django loads a backend before any model

        return OutboxCall.objects.using(self.connection.alias)

    @property
    def batches(self) -> "QuerySet[OutboxBatch]":
        """Return the table of journals in this database."""
        from aftercommit.models import OutboxBatch

        return OutboxBatch.objects.using(self.connection.alias)

    def as_stored(self, time: datetime) -> datetime:
        """Return a time with a time zone as this database's columns and clock have it.

        Without USE_TZ, Django takes no time zone where the columns have none. The clock there tells
        UTC.
        """
        if settings.USE_TZ or self.connection.features.supports_timezones:
            return time
        return time.astimezone(UTC).replace(tzinfo=None)

    # Batches.

    def due_calls(self, task: str) -> "QuerySet[OutboxCall]":
        """Return the task's calls that are due, oldest first, in the order of their index."""
        due = self.calls.filter(task=task, status="pending", available_at__lte=Now())
        return due.order_by("available_at", "id")

    def claim(self, task: str, size: int, journal: int, worker: str) -> Claimed | None:
        """Journal the oldest due calls that nobody else has locked. Return None without any.

        A call that was in a process that died comes alone.
        """
        with transaction.atomic(using=self.connection.alias):
            due = self.due_calls(task).select_for_update(skip_locked=True)[:size]
            rows = list(due.values_list("id", "crashes"))
            if not rows:
                return None
            ids = [pk for pk, _ in takewhile(lambda row: not row[1], rows)] or [rows[0][0]]
            self.batches.create(pk=journal, task=task, calls=ids, worker=worker)
        return Claimed(ids, len(rows))

    def begin_batch(
        self, task: str, ids: Sequence[int], journal: int, idle: float | None
    ) -> list[Row] | None:
        """Delete the journal and lock its calls that are still pending. Return their rows.

        Return None if a sweep took the journal, and so may have counted a crash. ``idle`` is how
        many seconds the transaction may be idle. None leaves it as it is.
        """
        if idle is not None:
            self.limit_idle(idle)
        # The journal first: while it is locked, nobody takes it for that of a dead process.
        if not self.batches.filter(pk=journal)._raw_delete(self.connection.alias):
            return None
        return self.lock_batch(task, ids)

    def lock_batch(self, task: str, ids: Sequence[int]) -> list[Row]:
        """Lock those of the task's calls that are still due. Return their rows, in order."""
        due = self.due_calls(task).filter(id__in=ids).select_for_update(skip_locked=True)
        return list(due.values_list(*COLUMNS))

    def delete_rows(self, model: "type[OutboxCall | OutboxBatch]", ids: Sequence[int]) -> None:
        """Delete the rows with these ids, and wait for a lock on no other."""
        alias = self.connection.alias
        model._base_manager.using(alias).filter(pk__in=ids)._raw_delete(alias)

    # Leases.

    def exchange_lease(
        self, task: str, lease: UUID, seconds: float, done: tuple[int, UUID] | None
    ) -> Exchanged:
        """Settle the call ``done``, its id and its lease, and lease the task's oldest due call.

        Nothing is leased if the call before was no longer this process's to settle.
        """
        alias = self.connection.alias
        with transaction.atomic(using=alias):
            if done and not self.calls.filter(pk=done[0], lease=done[1])._raw_delete(alias):
                return Exchanged(settled=False)
            due = self.due_calls(task).select_for_update(skip_locked=True)[:2]
            rows = list(due.values_list(*COLUMNS))
            if not rows:
                return Exchanged(settled=True)
            self.begin_lease(self.calls.filter(pk=rows[0][0]), lease, seconds)
        return Exchanged(True, rows[0], len(rows) > 1)

    def begin_lease(self, rows: "QuerySet[OutboxCall]", lease: UUID, seconds: float) -> int:
        """Begin the lease of these rows. Return how many rows there were."""
        end = Now() + timedelta(seconds=seconds)
        return rows.update(status="running", lease=lease, available_at=end)

    # A task's own statement.

    def can_settle_by_statement(self) -> bool:
        """Return whether a task's ``sql`` can settle a batch here and now."""
        return False

    def settle_by_statement(
        self, task: str, statement: str, size: int, after: Position | None, seconds: float
    ) -> Settled:
        """Settle up to ``size`` of the task's due calls behind ``after`` with one statement.

        Raises DatabaseError if the statement fails or takes longer than ``seconds``. Then nothing
        was settled.
        """
        raise NotSupportedError(
            f"A task's statement can't settle calls in database {self.connection.alias!r}. "
            "Expected PostgreSQL with the outbox's backend and psycopg 3."
        )

    # Beside the calls.

    def pending_tasks(self) -> list[str]:
        """Return the names of the tasks that have pending calls."""
        with self.connection.cursor() as cursor:
            cursor.execute(self.pending_tasks_sql)
            return [name for name, *_ in cursor.fetchall()]

    def limit_idle(self, seconds: float) -> None:
        """Have the server end this transaction if it is idle for so long, where it can do that."""

    def limit_idle_session(self, longest: Callable[[], float]) -> None:
        """Have the server end this connection if it is idle for so long.

        Only where a server can't end a single transaction. ``longest`` returns the seconds.
        """

    @contextmanager
    def short_wait(self, seconds: float) -> Iterator[None]:
        """Wait in this block for so long at most, where one connection writes at a time."""
        yield
