"""What takes longer than the server allows: a statement, or a pause in a transaction."""

from select import select

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.models import OutboxCall
from aftercommit.worker.connections import TRIES
from aftercommit.worker.drain import drain_all
from tests.reliability.database.calls import DEAD, call_each, either
from tests.reliability.database.faults import postgres_only, run
from tests.reliability.state import TIMEOUT, journals
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


class TestTimeout:
    """Statements and sessions that the server ends."""

    @either
    def test_call(self, kind: str) -> None:
        """It is an attempt of its call; the others settle."""

        def act(name: str) -> None:
            run(connection, "SET LOCAL statement_timeout = '50ms'")
            run(connection, "SELECT pg_sleep(10)")

        effects.act("b", act)
        self.check_attempts(kind, "canceling statement due to statement timeout")

    def check_attempts(self, kind: str, error: str) -> None:
        """The call "b" is dead after its attempts, for this reason, and its neighbours settle."""
        call_each(kind)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (2, 2, 1)
        assert effects.names() == ["a", "c"]
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (DEAD, 3)
        assert error in row.error
        # In company, then once an attempt. If the connection is closed before the server's reason
        # is read, the driver knows of no timeout: such a run is tried again at once.
        assert effects.received.count("b") <= (2 + 3) * TRIES

    @either
    def test_idle(self, kind: str) -> None:
        """So is a session that a call left idle in its transaction, which the server ends."""

        def act(name: str) -> None:
            run(connection, "SET LOCAL idle_in_transaction_session_timeout = '20ms'")
            assert select([connection.connection], [], [], TIMEOUT)[0]  # the server says good-bye
            run(connection, "SELECT 1")

        effects.act("b", act)
        self.check_attempts(kind, "terminating connection due to idle-in-transaction timeout")
        assert not journals()

    def test_request(self, other: BaseDatabaseWrapper) -> None:
        """A transaction whose calls can't be written in time fails as one."""
        other.set_autocommit(False)
        run(other, "LOCK TABLE aftercommit_outboxcall IN EXCLUSIVE MODE")
        with (
            pytest.raises(OperationalError, match="statement timeout"),
            transaction.atomic(),
        ):
            run(connection, "SET LOCAL statement_timeout = '200ms'")
            Group.objects.create(name="fits")
            effects.make_group.delay_on_commit("a")
        other.rollback()
        assert effects.names() == []
        assert not OutboxCall.objects.exists()
