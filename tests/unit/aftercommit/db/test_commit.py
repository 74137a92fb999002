"""What a commit or a rollback does that Django refuses, or that comes another way than Django's."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from tests.connections import another
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


class Undo(Exception):
    """Rolls a transaction back."""


def write_and_call(name: str = "a") -> None:
    """A change, and a call."""
    Group.objects.create(name=f"changed {name}")
    effects.make_group.delay_on_commit(name)


def committed() -> tuple[list[str], int]:
    """The groups and the number of calls that another connection sees."""
    with another() as other:
        groups = Group.objects.using(other.alias)
        calls = OutboxCall.objects.using(other.alias)
        with other.cursor() as cursor:
            cursor.execute(str(groups.order_by("pk").values("name").query))
            names = [name for (name,) in cursor.fetchall()]
            cursor.execute(str(calls.values("pk").query))
            return names, len(cursor.fetchall())


def stored() -> list[str]:
    """The payloads of the outbox's rows."""
    return list(OutboxCall.objects.order_by("created_at", "pk").values_list("payload", flat=True))


@pytest.fixture
def manual() -> Iterator[None]:
    """Autocommit is off, as a program does that manages its transactions by hand."""
    transaction.set_autocommit(False)
    yield
    if connection.connection is not None:
        connection.rollback()
    transaction.set_autocommit(True)


def call_by_hand(name: str = "a") -> None:
    """A change and a call where autocommit is off: Django wants a block around the latter."""
    with transaction.atomic():
        write_and_call(name)


class TestRefusedCommit:
    """A commit that Django refuses."""

    def test_in_a_block(self) -> None:
        """Commits nothing and stores nothing; the block ends as if it had not been asked for."""
        with transaction.atomic():
            write_and_call()
            with pytest.raises(TransactionManagementError):
                transaction.commit()
            assert committed() == ([], 0)
        assert committed() == (["changed a"], 1)

    def test_in_a_block_that_rolls_back(self) -> None:
        """Nothing of it is kept."""
        with pytest.raises(TransactionManagementError), transaction.atomic():
            write_and_call()
            transaction.commit()
        assert committed() == ([], 0)

    def test_of_another_thread(self) -> None:
        """Leaves the owner's transaction open, whether it is a block's or made by hand."""
        errors: list[BaseException] = []

        def call(function: Callable[[], None]) -> None:
            try:
                function()
            except DatabaseError as error:
                errors.append(error)

        def from_elsewhere(function: Callable[[], None]) -> None:
            thread = threading.Thread(target=call, args=[function])
            thread.start()
            thread.join()

        with transaction.atomic():
            effects.make_group.delay_on_commit("before")  # leaves a cursor for the next commit
        with pytest.raises(Undo), transaction.atomic():
            write_and_call()
            connection.in_atomic_block = False  # as in the owner's own commit
            from_elsewhere(connection.commit)
            from_elsewhere(connection.rollback)
            from_elsewhere(partial(connection.set_autocommit, True))
            connection.in_atomic_block = True
            assert committed() == ([], 1)
            raise Undo
        assert len(errors) == 3
        assert committed() == ([], 1)

    def test_in_a_task(self) -> None:
        """Fails the call. Its effect is not had, and once the call is mended it is had once."""

        def call_and_commit(_: str) -> None:
            effects.make_group.delay_on_commit("b")
            transaction.commit()

        effects.act("a", call_and_commit)
        effects.make_group.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.dead) == (0, 1)
        assert effects.names() == []
        effects.reset()
        OutboxCall.objects.update(status=OutboxCall.Status.PENDING)
        drain_all()
        assert effects.names() == ["a"]

    @pytest.mark.django_db
    def test_in_a_test_case(self) -> None:
        """A test that rolls back at its end keeps nothing of it, and can go on."""
        write_and_call()
        with pytest.raises(TransactionManagementError):
            transaction.commit()
        assert not OutboxCall.objects.exists()
        assert committed() == ([], 0)


def test_rollback_forgets_savepoints() -> None:
    """A connection that is kept open keeps nothing of transactions that have ended."""
    with pytest.raises(Undo), transaction.atomic():
        connection.savepoint()
        raise Undo
    assert connection._savepoints == []


class TestRefusedRollback:
    """A rollback that Django refuses."""

    def test_savepoints_stay_known(self) -> None:
        """A savepoint that rolls back after it drops the call of the work that it undoes."""
        with transaction.atomic():
            sid = str(connection.savepoint())
            write_and_call()
            with pytest.raises(TransactionManagementError):
                connection.rollback()
            connection.savepoint_rollback(sid)
        assert committed() == ([], 0)

    def test_after_a_refused_commit(self) -> None:
        """It is the same after a commit that was refused."""
        with transaction.atomic():
            sid = str(connection.savepoint())
            write_and_call()
            with pytest.raises(TransactionManagementError):
                connection.commit()
            connection.savepoint_rollback(sid)
        assert committed() == ([], 0)


class TestSavepoints:
    """What is known of the savepoints of a transaction."""

    def test_forgotten_when_released(self) -> None:
        """However many a transaction has had, only those that are open are known."""
        with transaction.atomic():
            for _ in range(100):
                with transaction.atomic():
                    effects.make_group.delay_on_commit("a")
                with pytest.raises(Undo), transaction.atomic():
                    raise Undo
            assert connection._savepoints == []
            outer = str(connection.savepoint())
            for _ in range(100):
                connection.savepoint()  # ends with the one around it
            connection.savepoint_commit(outer)
            assert connection._savepoints == []
        assert len(stored()) == 100

    def test_rolled_back_twice(self) -> None:
        """A savepoint is there until it is released: it can be rolled back to again."""
        with transaction.atomic():
            sid = str(connection.savepoint())
            for name in ("a", "b"):
                write_and_call(name)
                connection.savepoint_rollback(sid)
            write_and_call("c")
        assert committed() == (["changed c"], 1)

    def test_same_name(self) -> None:
        """Of two with one name the later is meant, as the database means it."""
        with transaction.atomic():
            sid = str(connection.savepoint())
            write_and_call("a")
            connection.savepoint_state -= 1
            assert connection.savepoint() == sid
            write_and_call("b")
            connection.savepoint_rollback(sid)
        assert committed() == (["changed a"], 1)


class TestWatched:
    """Whoever watches statements, as ``connection.execute_wrapper`` lets them."""

    def test_sees_a_transaction(self) -> None:
        """The INSERT of the calls is seen in an atomic block, where the changes are too."""
        seen: list[tuple[str, bool]] = []

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith("INSERT"):
                seen.append((sql.split()[2], context["connection"].in_atomic_block))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(watch), transaction.atomic():
            write_and_call()
        assert [in_block for _, in_block in seen] == [True, True]
        assert seen[1][0] == "aftercommit_outboxcall"
        assert not connection.in_atomic_block

    def fail_once(self, retry: Callable[..., Any]) -> Callable[..., Any]:
        """A wrapper whose INSERT of calls fails at first, as on a connection that broke."""
        failed: list[bool] = []

        def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "aftercommit_outboxcall" not in sql or failed:
                return execute(sql, params, many, context)
            failed.append(True)
            return retry(execute, sql, params, many, context)

        return wrapper

    def test_reconnects_outside_blocks(self) -> None:
        """One that reconnects and retries outside atomic blocks stores no call without its work."""

        def retry(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if context["connection"].in_atomic_block:
                raise OperationalError("the connection is lost")
            context["connection"].close()
            context["connection"].connect()
            with context["connection"].cursor() as cursor:
                return cursor.execute(sql, params)

        with (
            connection.execute_wrapper(self.fail_once(retry)),
            pytest.raises(OperationalError),
            transaction.atomic(),
        ):
            write_and_call()
        assert committed() == ([], 0)

    @pytest.mark.parametrize("by_hand", [False, True])
    def test_closes(self, by_hand: bool) -> None:
        """One that closes the connection loses both, and the next statement connects."""

        def retry(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            context["connection"].close()
            with context["connection"].cursor() as cursor:
                return cursor.execute(sql, params)

        if by_hand:
            transaction.set_autocommit(False)
        with connection.execute_wrapper(self.fail_once(retry)), pytest.raises(Exception):  # noqa: B017, PT011  # the driver's own
            if by_hand:
                call_by_hand()
                connection.commit()
            else:
                with transaction.atomic():
                    write_and_call()
        assert Group.objects.count() == 0
        assert connection.get_autocommit()
        assert committed() == ([], 0)


class TestStoringFails:
    """A commit whose calls can't be stored."""

    @pytest.mark.parametrize("error", [DatabaseError("disk full"), KeyboardInterrupt()])
    def test_by_hand(
        self, monkeypatch: pytest.MonkeyPatch, manual: None, error: BaseException
    ) -> None:
        """Rolls back, also where autocommit is off: what follows is a transaction of its own."""

        def fail(*args: Any) -> None:
            raise error

        call_by_hand("a")
        with monkeypatch.context() as patch, pytest.raises(type(error)):
            patch.setattr("aftercommit.db.hook.store_calls", fail)
            connection.commit()
        call_by_hand("b")
        connection.commit()
        assert committed() == (["changed b"], 1)

    def test_commit_fails_by_hand(self, manual: None) -> None:
        """A COMMIT that fails drops the calls of the work that it undoes."""
        if connection.vendor != "postgresql":
            return  # no other has a constraint that waits for COMMIT and a COMMIT that rolls back
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            cursor.execute("INSERT INTO late VALUES (1), (1)")
            write_and_call("a")
        with pytest.raises(IntegrityError):
            connection.commit()
        call_by_hand("b")
        connection.commit()
        assert committed() == (["changed b"], 1)


class TestAutocommitTurnedOn:
    """Autocommit that is turned on while a transaction is open, without a commit."""

    def test_calls(self) -> None:
        """Has the calls where it commits their work; where it is refused, neither is had yet."""
        transaction.set_autocommit(False)
        call_by_hand()
        try:
            transaction.set_autocommit(True)
        except DatabaseError:  # PostgreSQL's driver refuses it
            assert connection.vendor == "postgresql"
            assert committed() == ([], 0)
            connection.commit()
            transaction.set_autocommit(True)
        assert committed() == (["changed a"], 1)
        drain_all()
        assert effects.names() == ["changed a", "a"]

    def test_callbacks(self) -> None:
        """Other callbacks run then too, after the calls are stored."""
        if connection.vendor == "postgresql":
            return  # refused, as above
        seen: list[int] = []
        transaction.set_autocommit(False)
        with transaction.atomic():
            write_and_call()
            transaction.on_commit(lambda: seen.append(len(stored())))
        transaction.set_autocommit(True)
        assert seen == [1]

    def test_interrupted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A person who stops a program just before its commit has all of it, or nothing."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        with (
            monkeypatch.context() as patch,
            pytest.raises((KeyboardInterrupt, DatabaseError)),
            transaction.atomic(),
        ):
            write_and_call()
            patch.setattr(connection, "commit", interrupt)
        connection.close()
        names, calls = committed()
        assert len(names) == calls


class TestCallbacks:
    """Django's list of on_commit callbacks."""

    def test_calls_until_commit(self) -> None:
        """Has the calls until COMMIT: tests look for them there."""
        with transaction.atomic():
            write_and_call()
            assert len(connection.run_on_commit) == 1

    def test_no_calls_after_commit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Has none after it: Django would take them off its front, one by one."""
        called: list[object] = []
        seen: list[int] = []
        monkeypatch.setattr("aftercommit.outbox.pending.PendingCall.__call__", called.append)
        with transaction.atomic():
            write_and_call("a")
            transaction.on_commit(lambda: seen.append(len(stored())))
            write_and_call("b")
        assert (seen, called) == ([2], [])

    def test_by_hand(self, manual: None) -> None:
        """Doesn't grow where autocommit stays off."""
        for name in "abc":
            call_by_hand(name)
            connection.commit()
            assert connection.run_on_commit == []
        assert len(stored()) == 3

    def test_block_by_hand(self, manual: None) -> None:
        """The end of a block commits no work whose calls aren't stored yet."""
        call_by_hand()
        assert committed() == ([], 0)
        connection.commit()
        assert committed() == (["changed a"], 1)


def test_isolated_by_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call sets for its transaction ends with it where each call has one of its own."""
    if connection.vendor != "postgresql":
        return  # no other has settings of a transaction
    found: list[str] = []

    def look(_: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW application_name")
            found.append(cursor.fetchone()[0])
            cursor.execute("SET LOCAL application_name = 'mine'")

    monkeypatch.setattr(effects.make_group, "batch_size", 1)
    for name in "ab":
        effects.act(name, look)
        effects.make_group.delay_on_commit(name)
    assert drain_all().settled == 2
    assert len(found) == 2
    assert "mine" not in found
