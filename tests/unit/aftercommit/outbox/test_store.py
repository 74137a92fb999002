"""What of a transaction's calls is stored, when, and with how many statements."""

import ctypes
import gc
import json
import resource
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Length, Now
from django.test.utils import CaptureQueriesContext

from aftercommit.db import hook
from aftercommit.models import OutboxCall
from aftercommit.outbox import store
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def stored() -> list[str]:
    """The payloads of the outbox's rows, in their order."""
    return list(OutboxCall.objects.order_by("pk").values_list("payload", flat=True))


class Undo(Exception):
    """Rolls a transaction back."""


def test_rolled_back() -> None:
    """Nothing of a transaction that rolls back is stored."""
    with pytest.raises(Undo), transaction.atomic():
        effects.make_group.delay_on_commit("a")
        raise Undo
    assert stored() == []


def test_savepoint_rolled_back() -> None:
    """Of a savepoint that rolls back nothing is stored, of the rest all."""
    with transaction.atomic():
        effects.make_group.delay_on_commit("before")
        with pytest.raises(Undo), transaction.atomic():
            effects.make_group.delay_on_commit("within")
            raise Undo
        with transaction.atomic():
            effects.make_group.delay_on_commit("kept")
    drain_all()
    assert effects.names() == ["before", "kept"]


def test_savepoint_by_hand_rolled_back() -> None:
    """It is the same for the savepoints of ``transaction.savepoint()``, one in another."""
    with transaction.atomic():
        effects.make_group.delay_on_commit("before")
        outer = str(connection.savepoint())
        effects.make_group.delay_on_commit("within")
        inner = str(connection.savepoint())
        effects.make_group.delay_on_commit("deep within")
        connection.savepoint_rollback(inner)
        effects.make_group.delay_on_commit("within, again")
        connection.savepoint_rollback(outer)
        effects.make_group.delay_on_commit("after")
        kept = str(connection.savepoint())
        effects.make_group.delay_on_commit("kept")
        connection.savepoint_commit(kept)
    drain_all()
    assert effects.names() == ["before", "after", "kept"]


@pytest.mark.parametrize("countdown", [None, 60])
@pytest.mark.parametrize("pairs", [1, 10, 2_000])
@pytest.mark.parametrize("can_copy", [True, False])
def test_one_statement(
    monkeypatch: pytest.MonkeyPatch, can_copy: bool, pairs: int, countdown: int | None
) -> None:
    """Any number of calls of any tasks cost their transaction one statement.

    Where it can't be COPY, as with psycopg 2, it is another.
    """
    can_copy = can_copy and connection.vendor == "postgresql"
    monkeypatch.setattr(connection, "can_copy", can_copy)
    single, batch = effects.make_group, effects.make_groups
    with CaptureQueriesContext(connection) as empty, transaction.atomic():
        pass
    with CaptureQueriesContext(connection) as full, transaction.atomic():
        for number in range(pairs):
            single.apply_async_on_commit([f"a{number}\t\\N"], countdown=countdown)
            batch.apply_async_on_commit(kwargs={"name": f"b{number}"}, countdown=countdown)
    assert len(full) - len(empty) == 1
    statement, commit = (query["sql"].strip() for query in full.captured_queries[-2:])
    copied = can_copy and pairs > 10 and not countdown
    verb = "COPY" if copied else "INSERT INTO"
    assert statement.startswith(f"{verb} aftercommit_outboxcall (id, task, ")
    assert commit == "COMMIT"
    assert OutboxCall.objects.count() == 2 * pairs
    later = OutboxCall.objects.filter(available_at__gt=Now()).count()
    assert later == (2 * pairs if countdown else 0)
    first, second = OutboxCall.objects.order_by("pk")[:2]
    assert json.loads(first.payload) == [["a0\t\\N"], {}]
    assert json.loads(second.payload) == [[], {"name": "b0"}]


class TestCursor:
    """The cursor by which commits write their calls."""

    @pytest.fixture
    def used(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The cursor of each commit."""
        found: list[Any] = []

        def store_and_note(ops: Any, cursor: Any, *args: Any) -> None:
            found.append(cursor)
            store.store_calls(ops, cursor, *args)

        monkeypatch.setattr(hook, "store_calls", store_and_note)
        return found

    def commit(self) -> None:
        """A transaction that does nothing else."""
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")

    def test_kept(self, used: list[Any]) -> None:
        """One serves all commits of a connection."""
        for _ in range(3):
            self.commit()
        assert used[0] is used[1] is used[2]
        assert OutboxCall.objects.count() == 3

    def test_of_a_new_connection(self, used: list[Any]) -> None:
        """A connection that was made anew has one of its own."""
        self.commit()
        connection.connection.close()
        connection.connect()
        self.commit()
        assert used[0] is not used[1]
        assert OutboxCall.objects.count() == 2

    def test_shared_connection(self, used: list[Any]) -> None:
        """Threads that share a connection don't share a cursor."""
        connection.inc_thread_sharing()
        try:
            self.commit()
            self.commit()
        finally:
            connection.dec_thread_sharing()
        assert used[0] is not used[1]


def test_without_calls() -> None:
    """A transaction without calls costs nothing more."""
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        pass
    assert [query["sql"].partition(" ")[0] for query in queries] == ["BEGIN", "COMMIT"]


def test_order() -> None:
    """The calls of a transaction have its order."""
    with transaction.atomic():
        for number in range(30):
            effects.make_group.delay_on_commit(str(number))
    drain_all()
    assert effects.names() == [str(number) for number in range(30)]


@pytest.mark.parametrize("error", [DatabaseError("disk full"), KeyboardInterrupt()])
def test_fail_insert(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """If the calls can't be stored, the transaction rolls back as one."""

    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr("aftercommit.db.hook.store_calls", fail)
    with pytest.raises(type(error)), transaction.atomic():
        effects.make_group("a")
        effects.make_group.delay_on_commit("b")
    monkeypatch.undo()
    assert effects.names() == []
    assert stored() == []
    effects.make_group("the connection is usable")


@pytest.mark.parametrize("block", [transaction.atomic, nullcontext])
def test_note(block: Any) -> None:
    """The error says that it kept calls from being stored, and what to do about a missing table."""
    table = OutboxCall._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(OutboxCall, table, "put_away")
    try:
        with pytest.raises(DatabaseError) as raised, block():
            effects.make_group.delay_on_commit("a")
        assert any("manage.py migrate" in note for note in raised.value.__notes__)
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(OutboxCall, "put_away", table)


def test_callback_that_fails() -> None:
    """An on_commit callback that raises loses no call behind it."""

    def fail() -> None:
        raise Undo

    with pytest.raises(Undo), transaction.atomic():
        transaction.on_commit(fail)
        effects.make_group.delay_on_commit("a")
    assert len(stored()) == 1


def test_call_in_a_callback() -> None:
    """An on_commit callback can make calls too."""
    with transaction.atomic():
        transaction.on_commit(lambda: effects.make_group.delay_on_commit("a"))
    assert len(stored()) == 1


def test_manual_transaction() -> None:
    """With autocommit off, a call is stored by the commit that the code asks for."""
    transaction.set_autocommit(False)
    try:
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")
        transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert len(stored()) == 1


class TestMemory:
    """What stays in memory of a call that has committed."""

    @pytest.fixture
    def used(self) -> Callable[[], int]:
        """Returns how many bytes of memory this process holds more than before."""

        def resident() -> int:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)  # gives back what is free
            return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

        effects.take_values.delay_on_commit(text="what is made at first and kept")
        before = resident()
        return lambda: resident() - before

    @pytest.mark.parametrize("countdown", [None, 60])
    @pytest.mark.parametrize("in_block", [True, False])
    def test_large(self, used: Callable[[], int], in_block: bool, countdown: int | None) -> None:
        """Nothing of a large one: neither in a cursor, nor in the driver, nor in its library."""
        size = 12_000_000 if connection.vendor == "mysql" else 30_000_000  # what the server takes
        with transaction.atomic() if in_block else nullcontext():
            effects.take_values.apply_async_on_commit(
                kwargs={"text": "x" * size}, countdown=countdown
            )
        if countdown and connection.vendor == "postgresql":
            connection.close()  # its library keeps the room of the longest statement until then
        assert used() < size / 2
        assert OutboxCall.objects.annotate(length=Length("payload")).latest("pk").length > size

    @pytest.mark.parametrize("large", [False, True])
    def test_as_others(self, large: bool) -> None:
        """A large one is stored as it is, in the order of the others."""
        texts = ["a\t\\N'%s", "ü" * 300_000 * large, "c"]
        with transaction.atomic():
            for text in texts:
                effects.take_values.delay_on_commit(text=text)
        drain_all()
        assert [values["text"] for values in effects.received] == texts
