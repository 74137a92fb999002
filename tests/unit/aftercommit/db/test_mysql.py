"""What MySQL and MariaDB do in their own way."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import NotSupportedError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from django.db.utils import DatabaseErrorWrapper, load_backend

from aftercommit.db import combine
from aftercommit.db.mysql import outbox
from aftercommit.db.mysql.outbox import split
from aftercommit.models import OutboxCall
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.database_errors import costs_no_attempt, is_transient
from aftercommit.worker.drain import drain_all
from aftercommit.worker.due import due_ages
from aftercommit.worker.rows import delete_rows
from tests.unit.aftercommit import effects

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("mysql", reason="it is about MySQL's own ways"),
]

DEADLOCK = 1213

PILE_UP = """
    INSERT INTO aftercommit_outboxcall (id, task, payload, context, status)
    SELECT uuid_short(), %s, '[[], {}]', '[]', %s
    FROM JSON_TABLE(%s, '$[*]' COLUMNS (number int PATH '$')) AS numbers
"""


def run(connection: BaseDatabaseWrapper, sql: str, *parameters: Any) -> Sequence[Any]:
    """The rows that the statement answers with."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def fail(number: int) -> None:
    """Have the server say that this is the error."""
    run(connection, f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}")


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the test's database, in a transaction."""
    wrapper: BaseDatabaseWrapper = connection.copy()
    wrapper.set_autocommit(False)
    yield wrapper
    wrapper.rollback()
    wrapper.close()


def free_calls(other: BaseDatabaseWrapper) -> list[int]:
    """The ids of the calls that are left to us: the other has locked the first of many."""
    with transaction.atomic():
        for number in range(50):
            effects.make_group.delay_on_commit(str(number))
    first, *ids = OutboxCall.objects.order_by("pk").values_list("pk", flat=True)
    run(other, "SELECT id FROM aftercommit_outboxcall WHERE id = %s FOR UPDATE", first)
    return ids


@pytest.mark.parametrize(
    ("number", "transient", "no_attempt"),
    [
        (DEADLOCK, True, True),
        (1205, True, True),  # lock wait timeout
        (1021, True, True),  # disk full
        (1040, True, True),  # too many connections
        (1053, True, False),  # shutdown in progress
        (1290, True, False),  # read-only
        (1317, False, False),  # the query was cancelled
        (1969, False, False),  # and this one for its time
        (1305, False, False),  # there is no such procedure
    ],
)
def test_faults(number: int, transient: bool, no_attempt: bool) -> None:
    """The server's own fault is told from a call's by the error's number."""
    with pytest.raises(OperationalError) as raised:
        fail(number)
    assert (is_transient(raised.value), costs_no_attempt(raised.value)) == (transient, no_attempt)


def test_lost_connection() -> None:
    """A connection that the server has ended is a fault of the database, and is replaced."""
    number = run(connection, "SELECT connection_id()")[0][0]
    killer = connection.copy()
    run(killer, f"KILL {number}")
    killer.close()
    with pytest.raises(OperationalError) as raised:
        run(connection, "SELECT 1")
    assert is_transient(raised.value)
    assert not connection.is_usable()
    connection.close_if_unusable_or_obsolete()
    assert run(connection, "SELECT @@autocommit, @@time_zone") == [(1, "+00:00")]


class TestRolledBack:
    """A transaction that the server rolls back at a deadlock."""

    def test_stays_so(self) -> None:
        """Whoever catches the error can't go on in what would be another transaction."""
        with pytest.raises(TransactionManagementError), transaction.atomic():
            effects.make_group.delay_on_commit("a")
            with pytest.raises(OperationalError):
                fail(DEADLOCK)
            Group.objects.create(name="b")
        assert not OutboxCall.objects.exists()
        Group.objects.create(name="the connection is usable")

    def test_stores_no_calls(self) -> None:
        """Nor is anything of it stored when nothing else is run."""
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")
            with pytest.raises(OperationalError):
                fail(DEADLOCK)
        assert not OutboxCall.objects.exists()

    def test_swallowed_by_a_call(self) -> None:
        """A call that swallows the error isn't done: it runs again, with those beside it."""
        errors = [DEADLOCK]

        def swallow(name: str) -> None:
            with suppress(IndexError, OperationalError):
                fail(errors.pop())

        effects.act("b", swallow)
        for name in "abc":
            effects.make_group.delay_on_commit(name)
        assert drain_all().settled == 3
        assert sorted(effects.names()) == ["a", "b", "c"]


class TestOldServer:
    """A server that lacks what the outbox needs."""

    @pytest.mark.parametrize(("maria", "first"), [(True, (10, 6)), (False, (8, 0, 13))])
    def test_refused(
        self, monkeypatch: pytest.MonkeyPatch, maria: bool, first: tuple[int, ...]
    ) -> None:
        """It is refused with the version that is needed, whatever the ENGINE's features_class."""
        other: Any = connection.copy()
        other.__dict__["mysql_is_mariadb"] = maria
        monkeypatch.setattr(other.features, "minimum_database_version", None)
        monkeypatch.setattr(other, "get_database_version", lambda: (*first[:-1], first[-1] - 1))
        needed = ".".join(map(str, first))
        with pytest.raises(NotSupportedError, match=f"needs M[ariySQLDB]+ {needed} or newer"):
            other.check_database_version_supported()
        monkeypatch.setattr(other, "get_database_version", lambda: first)
        other.check_database_version_supported()


class TestErrorWrapper:
    """An ENGINE of somebody else's that turns the driver's errors into others of its own."""

    def test_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its wrapper is used, and a deadlock ends the transaction all the same."""
        seen: list[Any] = []

        class Theirs(DatabaseErrorWrapper):
            """Somebody's, which watches."""

            def __exit__(self, *error: Any) -> None:
                seen.append(error[0])
                super().__exit__(*error)

        standard = load_backend("aftercommit.db.mysql").DatabaseWrapper.__bases__[1]
        names = {"wrap_database_errors": property(Theirs)}
        theirs = type("DatabaseWrapper", (standard,), names)
        module: Any = ModuleType("shop_mysql.base")
        module.DatabaseWrapper = theirs
        monkeypatch.setitem(sys.modules, module.__name__, module)
        wrapper = load_backend(combine("shop_mysql")).DatabaseWrapper
        other = wrapper(connection.settings_dict, "default")
        with pytest.raises(OperationalError), other.wrap_database_errors:
            other.in_atomic_block = True
            raise other.Database.OperationalError(DEADLOCK, "found")
        assert other.needs_rollback
        assert seen == [other.Database.OperationalError]


class TestLocks:
    """What waits for whom."""

    def test_delete_waits_for_no_other(self, other: BaseDatabaseWrapper) -> None:
        """Calls are deleted while another drain has locked one beside them."""
        ids = free_calls(other)
        run(connection, "SET innodb_lock_wait_timeout = 1")
        delete_rows(OutboxCall, "default", ids)
        connection.close()
        assert OutboxCall.objects.count() == 1

    def test_claim_passes_over_locked(self, other: BaseDatabaseWrapper) -> None:
        """A claim takes what is free, and leaves what isn't."""
        ids = free_calls(other)
        batch = claim_batch("default", effects.make_group.name, 100)
        assert batch
        assert list(batch.ids) == ids


class TestBacklog:
    """A deep backlog, and as many dead letters that are older."""

    @pytest.fixture(autouse=True)
    def _pile_up(self) -> None:
        numbers = json.dumps(list(range(20_000)))
        for status in ("dead", "pending"):
            run(connection, PILE_UP, effects.make_group.name, status, numbers)
        effects.make_groups.delay_on_commit(name="a")
        run(connection, "ANALYZE TABLE aftercommit_outboxcall")
        run(connection, "FLUSH STATUS")

    def rows_read(self) -> int:
        """How many rows and index entries this connection has read since."""
        read = run(connection, "SHOW SESSION STATUS LIKE 'Handler_read_%'")
        return sum(int(times) for _, times in read)

    def test_claim(self) -> None:
        """A claim reads its batch in the order of the index, and no more."""
        batch = claim_batch("default", effects.make_group.name, 100)
        assert batch
        assert len(batch.ids) == 100
        assert self.rows_read() < 150

    def test_sweep(self) -> None:
        """What is due is found by a look at each task."""
        assert set(due_ages("default")) == {effects.make_group.name, effects.make_groups.name}
        assert self.rows_read() < 50


class TestClock:
    """The clock is the server's, and tells UTC whatever the server's own time zone."""

    def test_stored(self) -> None:
        """What is written now has the time of now."""
        effects.make_group.delay_on_commit("a")
        row = OutboxCall.objects.get()
        for time in (row.created_at, row.available_at):
            assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)

    def test_far_time(self) -> None:
        """A time beyond what 32 bits hold is stored as it is, to the microsecond."""
        eta = datetime(2051, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
        effects.make_group.apply_async_on_commit(["a"], eta=eta)
        assert OutboxCall.objects.get().available_at == eta


def test_more_than_a_message_may_hold() -> None:
    """Calls that are too long for one message of the server's are written by several statements."""
    ((longest,),) = run(connection, "SELECT @@max_allowed_packet")
    size = longest // 8
    with transaction.atomic():
        calls = [effects.make_group.delay_on_commit("x" * size) for _ in range(10)]
    stored = OutboxCall.objects.order_by("pk").values_list("pk", flat=True)
    assert list(stored) == [call.pk for call in calls]


@pytest.mark.parametrize(("sizes", "parts"), [([], 1), ([1, 1], 1), ([9, 1, 9, 9], 4)])
def test_parts(monkeypatch: pytest.MonkeyPatch, sizes: list[int], parts: int) -> None:
    """Each call is in one part, and a call that is too long itself is a part of its own."""
    monkeypatch.setattr(outbox, "LONGEST", 10)
    monkeypatch.setattr(outbox, "ROW_CHARACTERS", 1)
    calls: Any = [SimpleNamespace(payload="x" * size, raw_context="") for size in sizes]
    found = list(split(calls))
    assert list(chain(*found)) == calls
    assert len(found) == parts
