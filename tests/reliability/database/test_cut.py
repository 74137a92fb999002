"""A connection that the server ends: each effect is had once, and it is nobody's crash."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django_celery_results.models import TaskResult

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from aftercommit.worker.lease import Lease
from tests.reliability.database.calls import DEAD, NAMES, call_each, drain_once, either
from tests.reliability.database.faults import around, once, postgres_only, run
from tests.reliability.state import journals
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


class TestCut:
    """A connection that the server ends."""

    @pytest.fixture
    def cut(self, other: BaseDatabaseWrapper) -> Callable[[], None]:
        """End the thread's own connection, as an administrator does from another."""

        def cut() -> None:
            pid = run(connection, "SELECT pg_backend_pid()")
            assert run(other, "SELECT pg_terminate_backend(%s, 10000)", pid)

        return cut

    STEPS = {
        "after the claim": ("after", "aftercommit.worker.atomic_calls.claim_batch"),
        "in the effect": None,
        "before the settlement": ("before", "aftercommit.worker.atomic_calls.settle_done"),
        "at COMMIT": ("before", "django.db.backends.base.base.debug_transaction"),
    }

    @either
    @pytest.mark.parametrize("step", STEPS)
    def test_in_a_drain(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], kind: str, step: str
    ) -> None:
        """The batch is run again on a new connection: each effect is had once."""
        if where := self.STEPS[step]:
            arm = around(monkeypatch, where[1], where[0], once(cut))
            effects.act("b", lambda name: arm())
            if step == "after the claim":
                arm()
        else:
            effects.act("b", once(cut))
        call_each(kind)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (3, 0, 0)
        assert effects.names() == NAMES
        assert not OutboxCall.objects.exists()
        assert not journals()

    @either
    def test_before_the_claim(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], kind: str
    ) -> None:
        """A drain that can't claim leaves all to the next one."""
        around(monkeypatch, "aftercommit.worker.atomic_calls.claim_batch", "before", once(cut))()
        call_each(kind)
        with suppress(OperationalError):
            drain_all()
        drain_all()
        assert effects.names() == NAMES
        assert not journals()

    @either
    def test_each_time(self, cut: Callable[[], None], kind: str) -> None:
        """One that cuts its connection at every try is a dead letter in the end, by no crash."""
        effects.act("a", lambda name: cut())
        call_each(kind, ["a"])
        for _ in range(5):
            drain_once(kind)
        row = OutboxCall.objects.get()
        assert (row.status, row.crashes) == (DEAD, 0)
        assert "terminating connection" in row.error
        assert not journals()

    @either
    def test_always_by_one(self, cut: Callable[[], None], kind: str) -> None:
        """A call that is cut at every try doesn't keep its neighbours from being settled."""
        effects.act("b", lambda name: cut())
        call_each(kind)
        for _ in range(3):
            drain_once(kind)
        assert effects.names() == ["a", "c"]

    def test_answer_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A COMMIT that succeeded, but whose answer was lost, is not done again."""
        wrapper = type(connections["default"])
        commit = wrapper.commit
        lost: list[bool] = []

        def commit_and_break(self: BaseDatabaseWrapper) -> None:
            commit(self)
            if lost:
                lost.clear()
                self.connection.close()  # type: ignore[union-attr]  # psycopg's own
                raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(wrapper, "commit", commit_and_break)
        effects.act("c", lambda name: lost.append(True))
        call_each()
        drain_all()
        assert effects.names() == NAMES
        assert effects.received == NAMES
        assert not OutboxCall.objects.exists()
        assert not journals()

    @pytest.mark.parametrize("step", ["in the effect", "after the effect"])
    def test_outside_effect(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], step: str
    ) -> None:
        """A mail that was sent is marked as sent on a new connection."""
        if step == "in the effect":
            effects.act("a", lambda name: cut())
        else:
            arm = around(monkeypatch, "aftercommit.worker.outside_calls.Lease", "before", once(cut))
            effects.act("a", lambda name: arm())
        effects.send_outside.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, effects.received) == (1, ["a"])
        assert not OutboxCall.objects.exists()

    def test_outside_effect_with_a_result(self, cut: Callable[[], None]) -> None:
        """A mail is not sent again for its result, which is kept on the new connection."""
        effects.act("a", lambda name: cut())
        call = effects.send_outside.apply_async_on_commit(["a"], ignore_result=False)
        report = drain_all()
        assert (report.settled, effects.received) == (1, ["a"])
        assert TaskResult.objects.get(task_id=call.id).status == "SUCCESS"

    def test_outside_answer_lost(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None]
    ) -> None:
        """A mail that was leased when the connection broke is sent, once, and so are the others."""
        exchange = Lease._exchange
        effects.act("a", lambda name: lost.append(True))
        lost: list[bool] = []

        def exchange_and_cut(self: Lease, done: Call | None) -> object:
            answer = exchange(self, done)
            if lost:
                lost.clear()
                cut()
                run(connection, "SELECT 1")
            return answer

        monkeypatch.setattr(Lease, "_exchange", exchange_and_cut)
        for name in NAMES:
            effects.send_outside.delay_on_commit(name)
        assert drain_all().settled == 3
        assert effects.received == NAMES
        assert not OutboxCall.objects.exists()

    def test_outside_effect_fails(self, cut: Callable[[], None]) -> None:
        """One that fails for the lack of a connection is tried again, not uncertain."""

        def act(name: str) -> None:
            cut()
            Group.objects.exists()

        effects.act("a", once(lambda: act("a")))
        effects.send_outside.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.retried) == (1, 1)
        assert not OutboxCall.objects.exists()
