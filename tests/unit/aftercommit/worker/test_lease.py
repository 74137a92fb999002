"""Calls with effects outside the database: their leases, and what a lost process leaves."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker import deferred_writes, drain_state, outside_calls
from aftercommit.worker.connections import TRIES
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.expired_leases import expire_leases
from aftercommit.worker.lease import Lease
from aftercommit.worker.loading import rows_of
from aftercommit.worker.summary import DrainSummary
from core.stack.waiting import wait_until
from tests.connections import locking, somebody_waits
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.impatient import _impatient, row_locks_only  # noqa: F401  # a fixture

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

PENDING, RUNNING, UNCERTAIN, DEAD = OutboxCall.Status

NAMES = ["a", "b", "c"]

postgres_only = pytest.mark.only_on("postgres", reason="only there it is one statement")


def call_each() -> None:
    """Commit a call for each name, to run in this order."""
    with transaction.atomic():
        for name in NAMES:
            effects.send_outside.delay_on_commit(name)


def drain_for(seconds: float) -> DrainSummary:
    """One drain of the task."""
    task = find_task(effects.send_outside.name)
    assert task
    return drain_task(task, "default", seconds)


def lease(done: Call | None = None) -> Lease:
    """A lease for the task."""
    return Lease("default", effects.send_outside.name, 60, done)


def taken(lease: Lease) -> Call:
    """The call that the lease gets; there is one."""
    call, _ = lease.take()
    assert call
    return call


def left() -> dict[str, str]:
    """The name and the status of each row that is left."""
    rows = OutboxCall.objects.order_by("pk").values_list("payload", "status")
    return {payload[3]: status for payload, status in rows}


def lose(task: Any) -> Call:
    """A call that a process leased and, its lease over, never marked."""
    task.delay_on_commit("a")
    call, _ = Lease("default", task.name, 60).take()
    assert call
    OutboxCall.objects.update(available_at=Now() - timedelta(seconds=1))
    return call


class TestRunning:
    """How a leased call runs."""

    def test_outside_a_transaction(self) -> None:
        """No transaction is open while it runs, and its row says that it does."""

        def act(name: str) -> None:
            assert not connection.in_atomic_block
            row = OutboxCall.objects.get()
            assert row.status == RUNNING
            assert row.lease is not None
            lease = row.available_at - row.created_at
            assert timedelta(seconds=119) < lease < timedelta(seconds=130)

        effects.act("a", act)
        effects.send_outside.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.dead) == (1, 0)
        assert not OutboxCall.objects.exists()

    def test_fails(self) -> None:
        """One that fails is tried again, then is a dead letter; the others run."""

        def act(name: str) -> None:
            raise ConnectionRefusedError("mail server")

        effects.act("bad", act)
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.send_outside.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (2, 2, 1)
        assert sorted(effects.received) == ["a", "b", "bad", "bad", "bad"]
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts, row.lease) == (DEAD, 3, None)
        assert "ConnectionRefusedError: mail server" in row.error

    def test_not_readable(self) -> None:
        """One that can't be decoded is a dead letter."""
        effects.send_outside.delay_on_commit("a")
        OutboxCall.objects.update(payload="?")
        assert drain_all().dead == 1

    @pytest.mark.every_database
    @pytest.mark.parametrize(
        "values",
        [
            {"status": DEAD},
            {"status": RUNNING},
            {"status": UNCERTAIN},
            {"available_at": Now() + timedelta(hours=1)},
            {"task": effects.send_again.name},
        ],
    )
    def test_not_due(self, values: dict[str, Any]) -> None:
        """What is held, runs elsewhere, is put off or another task's is not leased."""
        effects.send_outside.delay_on_commit("first")
        OutboxCall.objects.update(**values)
        effects.send_outside.delay_on_commit("a")
        assert taken(lease()).pk == OutboxCall.objects.latest("pk").pk
        assert lease().take() == (None, False)

    def test_more(self) -> None:
        """Whoever leases a call learns whether there is work for another process."""
        effects.send_outside.delay_on_commit("a")
        effects.send_outside.delay_on_commit("b")
        name = effects.send_outside.name
        assert [Lease("default", name, 60).take()[1] for _ in range(3)] == [True, False, False]


class TestOneAfterAnother:
    """A call is marked as done with the commit that leases the next."""

    def test_settled_first(self) -> None:
        """Each has a lease of its own, and the row of the one before is gone when it runs."""
        leases = set()

        def act(name: str) -> None:
            assert left() == {name: RUNNING} | dict.fromkeys(
                NAMES[NAMES.index(name) + 1 :], PENDING
            )
            leases.add(OutboxCall.objects.get(status=RUNNING).lease)

        for name in NAMES:
            effects.act(name, act)
        call_each()
        assert drain_for(60).settled == 3
        assert len(leases) == 3
        assert left() == {}

    @postgres_only
    def test_one_statement(self) -> None:
        """Nothing else is asked of the database, nor committed."""
        call_each()
        with CaptureQueriesContext(connection) as queries:
            assert drain_for(60).settled == 3
        assert len(queries) == 4

    def test_time_is_up(self) -> None:
        """The last call of a drain is marked, and none is leased that nobody would run."""
        call_each()
        assert drain_for(0).settled == 1
        assert left() == {"b": PENDING, "c": PENDING}
        assert not OutboxCall.objects.exclude(lease=None).exists()

    @pytest.mark.parametrize(("seconds", "times"), [(0, [0, 1]), (60, [0])])
    def test_wakes_others(
        self, monkeypatch: pytest.MonkeyPatch, seconds: float, times: list[int]
    ) -> None:
        """Others are woken while there is more than this process has at hand, but not at each."""
        at = []
        monkeypatch.setattr(outside_calls, "WAKE_INTERVAL", seconds)
        monkeypatch.setattr(drain_state, "wake_task", lambda *_: at.append(len(effects.received)))
        call_each()
        drain_for(60)
        assert at == times

    @postgres_only
    def test_beside_another(self) -> None:
        """What another process is about to lease is passed over, not waited for."""
        call_each()
        other = connection.copy()
        try:
            other.set_autocommit(False)
            with other.cursor() as cursor, connection.cursor() as own:
                cursor.execute("SELECT FROM aftercommit_outboxcall ORDER BY id LIMIT 1 FOR UPDATE")
                own.execute("SET lock_timeout = 100")
            taken(lease())
            assert left() == {"a": PENDING, "b": RUNNING, "c": PENDING}
        finally:
            other.close()
            connection.close()

    @pytest.mark.parametrize(
        ("meanwhile", "rows"),
        [
            (lambda row: row.delete(), {}),
            (lambda row: row.update(lease=uuid4()), {"a": RUNNING}),
            (lambda row: row.update(lease=uuid4(), status=UNCERTAIN), {"a": UNCERTAIN}),
            (lambda row: row.update(status=UNCERTAIN), {}),
        ],
        ids=["settled", "running", "uncertain", "ours"],
    )
    def test_lease_was_over(self, meanwhile: Callable[[Any], object], rows: Any) -> None:
        """What is another process's by now is left to it, what is ours is settled; so is the rest.

        One that is only uncertain is still ours.
        """
        effects.act("a", lambda name: meanwhile(OutboxCall.objects.filter(payload__contains=name)))
        call_each()
        drain_for(60)
        assert effects.received == NAMES
        assert left() == rows

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_exits(self, error: type[BaseException]) -> None:
        """A call that ends its process stays leased; the one before is settled, the next is not."""

        def act(name: str) -> None:
            raise error

        effects.act("b", act)
        call_each()
        with pytest.raises(error):
            drain_for(60)
        assert left() == {"b": RUNNING, "c": PENDING}


class TestAnswerLost:
    """The database leases a call, and its answer is lost."""

    @pytest.fixture
    def lose_answers(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Have the answers of those takes fail that have these numbers, from 1."""
        take = Lease.take

        def lose(*numbers: int, error: type[BaseException] = OperationalError) -> None:
            count = 0

            def take_and_lose(self: Lease) -> Any:
                nonlocal count
                answer = take(self)
                count += 1
                if count in numbers:
                    raise error("the connection is closed")
                return answer

            monkeypatch.setattr(Lease, "take", take_and_lose)

        return lose

    @pytest.mark.parametrize("number", [1, 2, 4])
    def test_runs(self, lose_answers: Callable[..., None], number: int) -> None:
        """The call is found again and runs, as if nothing had been."""
        lose_answers(number)
        call_each()
        assert drain_for(60).settled == 3
        assert effects.received == NAMES
        assert left() == {}

    def test_lease_was_over_too(self, lose_answers: Callable[..., None]) -> None:
        """Also if the call before was another process's by then."""
        effects.act("a", lambda name: OutboxCall.objects.filter(lease__isnull=False).delete())
        lose_answers(2)
        call_each()
        drain_for(60)
        assert effects.received == NAMES
        assert left() == {}

    def test_not_again(self, lose_answers: Callable[..., None]) -> None:
        """A database that goes on failing: the call that ran is settled, the other is due again."""
        lose_answers(*range(2, 2 + TRIES))
        call_each()
        with pytest.raises(OperationalError):
            drain_for(60)
        assert left() == {"b": PENDING, "c": PENDING}
        drain_all()
        assert sorted(effects.received) == NAMES

    def test_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call that ran is settled though the next can't be leased at all."""

        def act(name: str) -> None:
            monkeypatch.setattr(Lease, "_exchange", fail)

        def fail(*_: object) -> None:
            raise OperationalError("the connection is closed")

        effects.act("a", act)
        call_each()
        with pytest.raises(OperationalError):
            drain_for(60)
        assert left() == {"b": PENDING, "c": PENDING}

    def test_no_database(
        self, monkeypatch: pytest.MonkeyPatch, lose_answers: Callable[..., None]
    ) -> None:
        """If that can't be written either, the process's next drain does."""
        finish = Lease.finish

        def fail(self: Lease) -> None:
            raise OperationalError("the connection is closed")

        monkeypatch.setattr(Lease, "finish", fail)
        lose_answers(*range(2, 2 + TRIES))
        call_each()
        with pytest.raises(OperationalError):
            drain_for(60)
        assert left() == {"b": RUNNING, "c": PENDING}
        monkeypatch.setattr(Lease, "finish", finish)
        OutboxCall.objects.filter(status=RUNNING).update(status=UNCERTAIN)  # its lease is over
        drain_all()
        assert sorted(effects.received) == NAMES
        assert left() == {}

    def test_no_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Drains that don't even reach the server leave no work for the next ones."""

        def fail(*_: object) -> None:
            raise OperationalError("connection refused, the port is closed")

        call_each()
        with monkeypatch.context() as patch:
            patch.setattr(type(connections["default"]), "ensure_connection", fail)
            for _ in range(3):
                connection.close()
                with pytest.raises(OperationalError):
                    drain_for(60)
        assert deferred_writes._deferred.writes == []
        assert drain_for(60).settled == 3

    def test_interrupted(self, lose_answers: Callable[..., None]) -> None:
        """So it is if the process is asked to stop just then."""
        lose_answers(2, error=KeyboardInterrupt)
        call_each()
        with pytest.raises(KeyboardInterrupt):
            drain_for(60)
        assert left() == {"b": PENDING, "c": PENDING}

    def test_uncertain_by_now(self) -> None:
        """A lease that was over before it was known of begins anew."""
        call_each()
        one = lease()
        call = taken(one)
        OutboxCall.objects.filter(pk=call.id).update(available_at=Now() - timedelta(seconds=1))
        expire_leases("default")
        assert taken(one).id == call.id
        assert OutboxCall.objects.get(pk=call.id).status == RUNNING
        expire_leases("default")
        assert OutboxCall.objects.get(pk=call.id).status == RUNNING
        assert rows_of(call).exists()

    def test_arrives_late(self) -> None:
        """What the server does for a lost connection after another did the same leases nothing."""
        call_each()
        done = taken(lease())
        late = lease(done)
        taken(replace(late))
        assert late._exchange(done) == (False, (None, False))
        assert left() == {"b": RUNNING, "c": PENDING}

    @postgres_only
    def test_under_way(self) -> None:
        """What the server is still about to commit for a lost connection is waited for."""
        call_each()
        done = taken(lease())
        first = lease(done)
        again = replace(first)
        again.tried = True
        has_leased = threading.Event()

        def commit_when_waited_for() -> None:
            try:
                with transaction.atomic():
                    first.take()
                    has_leased.set()
                    wait_until(somebody_waits, 10, "the other to wait")
            finally:
                connection.close()

        thread = threading.Thread(target=commit_when_waited_for)
        thread.start()
        assert has_leased.wait(10)
        call = taken(again)
        thread.join(10)
        assert left() == {"b": RUNNING, "c": PENDING}
        assert rows_of(call).exists()


class TestExpireLeases:
    """``expire_leases``."""

    def test_running(self) -> None:
        """A lease that lasts is left alone."""
        effects.send_outside.delay_on_commit("a")
        Lease("default", effects.send_outside.name, 60).take()
        expire_leases("default")
        assert OutboxCall.objects.get().status == RUNNING

    def test_held_as_uncertain(self) -> None:
        """A lost call is not run again: whether it had its effect is not known."""
        lose(effects.send_outside)
        assert drain_all().total == 0
        row = OutboxCall.objects.get()
        assert row.status == UNCERTAIN
        assert "process that ran it was lost" in row.error
        assert effects.received == []

    def test_runs_again(self) -> None:
        """Unless its task says that it may."""
        lose(effects.send_again)
        assert drain_all().settled == 1
        assert effects.received == ["a"]

    def test_not_for_ever(self) -> None:
        """A call that goes on losing its process has its max_retries, then is a dead letter."""
        lose(effects.send_again)
        for attempts in (1, 2):
            assert expire_leases("default") == 0
            row = OutboxCall.objects.get()
            assert (row.status, row.attempts) == (PENDING, attempts)
            assert "process that ran it was lost" in row.error
            assert Lease("default", effects.send_again.name, 60).take()[0]
            OutboxCall.objects.update(available_at=Now() - timedelta(seconds=1))
        assert expire_leases("default") == 1
        assert OutboxCall.objects.get().status == DEAD

    @pytest.mark.parametrize("retries", [math.inf, "many", 2.5])
    def test_odd_limit(self, retries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A task's max_retries that is no integer keeps no call of any task from its end."""
        monkeypatch.setattr(
            find_task(effects.send_again.name), "max_retries", retries, raising=False
        )
        lose(effects.send_again)
        lose(effects.send_outside)
        expire_leases("default")
        statuses = OutboxCall.objects.values_list("task", "status")
        assert dict(statuses) == {
            effects.send_again.name: PENDING,
            effects.send_outside.name: UNCERTAIN,
        }

    @row_locks_only
    @pytest.mark.usefixtures("_impatient")
    @pytest.mark.parametrize("task", [effects.send_outside, effects.send_again])
    def test_locked(self, task: Any) -> None:
        """A call that somebody has locked is left for the next sweep, and not waited for."""
        lose(task)
        lose(task)
        with locking(OutboxCall.objects.earliest("pk")):
            expire_leases("default")
            assert OutboxCall.objects.filter(status=RUNNING).count() == 1
        expire_leases("default")
        assert not OutboxCall.objects.filter(status=RUNNING).exists()

    def test_only_slow(self) -> None:
        """A process that was only slow settles its call when it is done."""
        call = lose(effects.send_outside)
        expire_leases("default")
        assert rows_of(call).delete()[0] == 1

    def test_slow_and_replaced(self) -> None:
        """One whose call another process has begun settles nothing."""
        call = lose(effects.send_again)
        expire_leases("default")
        assert OutboxCall.objects.get().status == PENDING
        Lease("default", effects.send_again.name, 60).take()
        assert not rows_of(call).exists()
        assert OutboxCall.objects.get().status == RUNNING
