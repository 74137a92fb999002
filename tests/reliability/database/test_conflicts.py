"""Transactions that can't both be: the one that the server ends is run again."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all, drain_task
from content.models import Product
from core.stack.waiting import wait_until
from tests.connections import at_once
from tests.reliability import tasks
from tests.reliability.database.calls import NAMES, call_each, either
from tests.reliability.database.faults import once, postgres_only, run
from tests.reliability.state import TIMEOUT
from tests.reliability.tasks import the_task
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


class TestConflicts:
    """Transactions that can't both be."""

    @pytest.fixture
    def products(self) -> tuple[int, int]:
        """Two rows for which transactions fight, without a call about them."""
        tasks.write(["first", "second"])
        first, second = Product.objects.order_by("pk").values_list("pk", flat=True)
        return first, second

    @either
    def test_deadlock(self, other: BaseDatabaseWrapper, products: Any, kind: str) -> None:
        """The victim of a deadlock is run again; that is no attempt."""
        first, second = products
        take = "UPDATE content_product SET stock = stock + 1 WHERE id = %s"
        watching: BaseDatabaseWrapper = connection.copy()

        def take_and_commit() -> None:
            run(other, take, first)
            other.commit()

        finished = threading.Thread(target=take_and_commit)

        def meet() -> None:
            run(connection, take, first)
            finished.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: run(watching, waits), TIMEOUT, "the other to wait for this one")
            run(connection, "SET LOCAL deadlock_timeout = '10ms'")
            run(connection, take, second)
            pytest.fail("no deadlock")

        other.set_autocommit(False)
        run(other, "SET deadlock_timeout = '60s'")
        run(other, take, second)
        effects.act("b", once(meet))
        call_each(kind)
        try:
            report = drain_all()
        finally:
            finished.join(TIMEOUT)
            watching.close()
        assert (report.settled, report.retried) == (3, 0)
        assert effects.names() == NAMES
        assert list(Product.objects.values_list("stock", flat=True)) == [1, 1]

    @either
    @pytest.mark.parametrize("level", ["repeatable read", "serializable"])
    def test_serialization_failure(
        self, other: BaseDatabaseWrapper, products: Any, kind: str, level: str
    ) -> None:
        """So is one whose snapshot is out of date."""
        change = "UPDATE content_product SET stock = stock + 1 WHERE id = %s"
        overtaken = once(lambda: run(other, change, products[0]))

        def act(name: str) -> None:
            overtaken()
            run(connection, change, products[0])

        effects.act("b", act)
        call_each(kind)
        run(connection, f"SET default_transaction_isolation = '{level}'")
        try:
            report = drain_all()
        finally:
            connection.close()
        assert (report.settled, report.retried) == (3, 0)
        assert effects.names() == NAMES
        assert effects.received.count("b") == 2
        assert Product.objects.get(pk=products[0]).stock == 2

    def test_many_drains(self) -> None:
        """Drains that meet at REPEATABLE READ settle each call once; none is an attempt."""
        call_each("single", [str(number) for number in range(300)])
        group = the_task(effects.make_group)

        def drain() -> None:
            run(connection, "SET default_transaction_isolation = 'repeatable read'")
            drain_task(group, "default", TIMEOUT)

        before, group.batch_size = group.batch_size, 10
        try:
            at_once(*[drain] * 3)
        finally:
            group.batch_size = before
        assert sorted(effects.names(), key=int) == [str(number) for number in range(300)]
        assert not OutboxCall.objects.exists()
