"""A file that somebody else writes to for longer than one waits."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.connections import TRIES
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.drain import drain_all, drain_task
from tests.reliability.database.calls import (
    NAMES,
    TASKS,
    call_each,
    check_untouched,
    drain_once,
    either,
)
from tests.reliability.database.faults import around, once, sqlite_only
from tests.reliability.tasks import the_task
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True), sqlite_only]


class TestBusy:
    """A file that somebody else writes to for longer than one waits."""

    @pytest.fixture
    def busy(
        self, monkeypatch: pytest.MonkeyPatch, other: BaseDatabaseWrapper
    ) -> Iterator[Callable[[], None]]:
        """Hold the write lock, for which this thread waits no more than an instant."""
        connection.close()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)

        def hold() -> None:
            other.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

        yield hold
        self.release(other)
        connection.close()

    def release(self, other: BaseDatabaseWrapper) -> None:
        """Let others write."""
        if not other.get_autocommit():
            other.rollback()
            other.set_autocommit(True)

    def test_request(self, busy: Callable[[], None], other: BaseDatabaseWrapper) -> None:
        """A transaction that doesn't get its turn fails as one, and the next succeeds."""
        busy()
        with pytest.raises(OperationalError, match="database is locked"):
            call_each()
        self.release(other)
        assert not OutboxCall.objects.exists()
        call_each()
        assert drain_all().settled == 3

    @either
    def test_claim(self, busy: Callable[[], None], other: BaseDatabaseWrapper, kind: str) -> None:
        """A drain that can't claim leaves its calls as they are."""
        call_each(kind)
        busy()
        with pytest.raises(OperationalError, match="database is locked"):
            drain_task(the_task(TASKS[kind]), "default")
        self.release(other)
        check_untouched(3)
        assert drain_all().settled == 3

    def test_waits_as_long_as_it_may(self) -> None:
        """A process that waits for the lock, each time as long as it may, is not taken for dead."""
        waits = TRIES * connection.settings_dict["OPTIONS"]["timeout"]
        call_each()
        assert claim_batch("default", effects.make_group.name, 10)
        OutboxBatch.objects.update(started_at=F("started_at") - timedelta(seconds=waits))
        recover_crashed("default")
        assert set(OutboxCall.objects.values_list("crashes", flat=True)) == {0}

    @either
    def test_batch(
        self,
        monkeypatch: pytest.MonkeyPatch,
        busy: Callable[[], None],
        other: BaseDatabaseWrapper,
        kind: str,
    ) -> None:
        """One that can't go on after the claim is no attempt and, once it can, no crash."""
        call_each(kind)
        around(monkeypatch, "aftercommit.worker.atomic_calls.claim_batch", "after", once(busy))()
        drain_once(kind)
        self.release(other)
        rows = OutboxCall.objects.values_list("attempts", "crashes")
        assert set(rows) <= {(0, 0)}
        drain_all()
        assert effects.names() == NAMES
