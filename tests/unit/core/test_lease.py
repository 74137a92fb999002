"""Calls with effects outside the database: their leases, and what a lost process leaves."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.call import Call
from core.outbox.drain import drain_all
from core.outbox.lease import expire_leases, lease_call, rows_of
from tests.unit.core import effects

pytestmark = pytest.mark.django_db(transaction=True)

PENDING, RUNNING, UNCERTAIN, DEAD = OutboxCall.Status


def lose(task: Any) -> Call:
    """A call that a process leased and, its lease over, never marked."""
    task.delay_on_commit("a")
    call, _ = lease_call("default", task.name, 60)
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

    def test_more(self) -> None:
        """Whoever leases a call learns whether there is work for another process."""
        effects.send_outside.delay_on_commit("a")
        effects.send_outside.delay_on_commit("b")
        name = effects.send_outside.name
        assert [lease_call("default", name, 60)[1] for _ in range(3)] == [True, False, False]


class TestExpireLeases:
    """``expire_leases``."""

    def test_running(self) -> None:
        """A lease that lasts is left alone."""
        effects.send_outside.delay_on_commit("a")
        lease_call("default", effects.send_outside.name, 60)
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
        """A call that goes on losing its process is a dead letter in the end."""
        lose(effects.send_again)
        OutboxCall.objects.update(attempts=F("attempts") + 2)
        assert drain_all().dead == 1
        assert OutboxCall.objects.get().status == DEAD

    def test_only_slow(self) -> None:
        """A process that was only slow settles its call when it is done."""
        call = lose(effects.send_outside)
        expire_leases("default")
        assert rows_of(call).delete()[0] == 1

    def test_slow_and_replaced(self) -> None:
        """One whose call was given to another process settles nothing."""
        call = lose(effects.send_again)
        expire_leases("default")
        assert not rows_of(call).exists()
        assert OutboxCall.objects.get().status == PENDING
