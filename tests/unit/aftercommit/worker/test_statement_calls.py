"""What a task's statement does for its function, and when the function runs all the same."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.functions import Now

from aftercommit.context import Context, use
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.task import OutboxTask, find_task
from aftercommit.worker import statement_calls
from aftercommit.worker.drain import drain_all, drain_task
from tests.connections import at_once, locking
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import row_locks_only

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

DEAD = OutboxCall.Status.DEAD


@pytest.fixture
def task() -> Iterator[OutboxTask]:
    """The task with a statement; what a test changes of it is undone."""
    found: Any = find_task(effects.name_group.name)
    before = found.sql
    yield found
    found.sql = before


def call(*names: str) -> None:
    """One transaction with a call for each name."""
    with transaction.atomic():
        for name in names:
            effects.name_group.delay_on_commit(name=name)


def by_function() -> bool:
    """Whether this database can't have a statement settle its calls."""
    return connection.vendor != "postgresql"


def test_same_effects() -> None:
    """The effects are those of the function, in the order of the calls, and the calls are gone."""
    with use(Context(actor="ada", address="::1")):
        call("a", "nothing", "b")
    call("c", "100%")
    report = drain_all()
    assert effects.names() == ["a ada ::1", "b ada ::1", "c", "100%"]
    assert (report.settled, report.retried, report.dead) == (5, 0, 0)
    assert not OutboxCall.objects.exists()
    assert bool(effects.received) == by_function()


def test_more_than_a_batch() -> None:
    """One drain settles batch after batch."""
    names = [str(number) for number in range(12)]
    call(*names)
    assert drain_all().settled == 12
    assert effects.names() == names
    assert bool(effects.received) == by_function()


def test_one_fails(task: OutboxTask) -> None:
    """A call that the statement fails with has its own end, by the function; the others theirs."""
    Group.objects.create(name="there")
    call("a", "there", "b")
    report = drain_all()
    assert (report.settled, report.dead) == (2, 1)
    assert effects.names() == ["there", "a", "b"]
    row = OutboxCall.objects.get()
    assert (row.status, row.attempts) == (DEAD, 3)
    assert "IntegrityError" in row.error
    assert set(effects.received) == {"a", "there", "b"}
    call("c")
    drain_all()
    assert effects.names()[-1] == "c"


@pytest.mark.parametrize(
    "sql", ["INSERT INTO nowhere SELECT FROM calls", "INSERT INTO auth_group;", "nonsense %s {}"]
)
def test_wrong_statement(task: Any, sql: str, caplog: pytest.LogCaptureFixture) -> None:
    """A statement that can't be run loses nothing: the function runs, and the log says why."""
    task.sql = sql
    call("a", "b")
    assert drain_all().settled == 2
    assert effects.names() == effects.received == ["a", "b"]
    warned = [each.message for each in caplog.records if "its statement failed" in each.message]
    assert bool(warned) != by_function()


def test_takes_too_long(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function runs where the statement has no end."""
    monkeypatch.setattr(statement_calls, "PATIENCE", 0.2)
    task.sql = "INSERT INTO auth_group (name) SELECT pg_sleep(60)::text FROM calls"
    call("a")
    assert drain_all().settled == 1
    assert effects.names() == effects.received == ["a"]


@pytest.mark.only_on("postgres", reason="elsewhere the task's function runs")
def test_settings_do_not_last(task: Any) -> None:
    """What holds for the statement holds for no other of its connection."""
    settings = "SELECT current_setting('synchronous_commit'), current_setting('statement_timeout')"
    task.sql = f"INSERT INTO auth_group (name) SELECT concat(s.*) FROM calls, ({settings}) AS s"  # noqa: S608
    call("a")
    drain_all()
    assert effects.names() == ["(off,30s)"]
    with connection.cursor() as cursor:
        cursor.execute(settings)
        assert cursor.fetchone() == ("on", "0")


def test_in_a_transaction() -> None:
    """In somebody's own transaction the function runs, and rolls back with it."""
    call("a")
    with transaction.atomic():
        assert drain_all().settled == 1
        assert effects.received == ["a"]
        transaction.set_rollback(True)
    assert effects.names() == []
    assert drain_all().settled == 1
    assert effects.names() == ["a"]


@row_locks_only
def test_leaves_what_is_locked() -> None:
    """A call that somebody else has locked stays, and holds up none of the others."""
    call("a", "b", "c")
    with locking(OutboxCall.objects.get(payload__contains='"b"')):
        drain_all()
        assert effects.names() == ["a", "c"]
    drain_all()
    assert effects.names() == ["a", "c", "b"]
    # A statement that waited for the lock would end by its time limit, and the function would run.
    assert bool(effects.received) == by_function()


def test_order_of_effects() -> None:
    """The effects are in the order of the calls, wherever their rows are in the table."""
    call("a", "b", "c")
    for name in "ba":  # rows that were written again are at the table's end
        OutboxCall.objects.filter(payload__contains=f'"{name}"').update(error="written again")
    assert drain_all().settled == 3
    assert effects.names() == ["a", "b", "c"]


def test_several_drains_at_once(task: OutboxTask) -> None:
    """Each call has its effect once."""
    names = [str(number) for number in range(400)]
    call(*names)
    at_once(*[lambda: drain_task(task, "default")] * 3)
    drain_all()  # on a busy machine the time of those drains ends before their work does
    assert sorted(effects.names(), key=int) == names
    assert not OutboxBatch.objects.exists()


@pytest.mark.only_on("postgres", reason="elsewhere the task's function runs")
def test_commits_late(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that was made before those that a drain has settled, and commits after, is found."""
    call(*map(str, range(12)))
    ops: Any = outbox_ops(connection)
    settle, batches = ops.settle_by_statement, []

    def then_commit(*args: Any) -> Any:
        batches.append(args)
        settled = settle(*args)
        if len(batches) == 1:
            call("late")
            OutboxCall.objects.filter(payload__contains="late").update(
                available_at=Now() - timedelta(hours=1)
            )
        return settled

    monkeypatch.setattr(ops, "settle_by_statement", then_commit)
    assert drain_task(task, "default").settled == 12
    assert len(batches) == 3
    assert drain_task(task, "default").settled == 1
    assert effects.names()[-1] == "late"


def test_not_yet_due() -> None:
    """What is due later stays, and what a person is to decide."""
    effects.name_group.apply_async_on_commit(kwargs={"name": "later"}, countdown=600)
    call("dead")
    OutboxCall.objects.filter(payload__contains="dead").update(status=DEAD)
    call("now")
    assert drain_all().settled == 1
    assert effects.names() == ["now"]
    assert OutboxCall.objects.count() == 2
