"""Calls with effects in the database: batches, and what happens when a call of a batch fails."""

from typing import Any

import pytest
from celery.exceptions import Ignore, Reject
from django.contrib.auth.models import Group, Permission
from django.db import OperationalError, connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker import failures
from aftercommit.worker.batch import Batch
from aftercommit.worker.crashes import recover_crashed
from aftercommit.worker.drain import drain_all, drain_task
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.faults import deadlock

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

DEAD = OutboxCall.Status.DEAD


def fail(name: str) -> None:
    """What a task does that fails."""
    raise ValueError(f"no {name}")


def task(proxy: Any) -> Any:
    """The task itself."""
    found = find_task(proxy.name)
    assert found
    return found


@pytest.fixture(autouse=True)
def _no_batch_is_left() -> Any:
    """Whatever happens to a batch, its journal row ends with it."""
    yield
    assert not OutboxBatch.objects.exists()


class TestSingle:
    """A task that gets one call's arguments."""

    def test_one_fails(self) -> None:
        """A call that fails spoils none beside it, and leaves no half of its effect."""
        effects.act("bad", fail)
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.make_group.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.dead) == (2, 1)
        assert effects.names() == ["a", "b"]

    def test_retries_then_dies(self) -> None:
        """A call that goes on failing is tried max_retries times more, then is a dead letter."""
        effects.act("bad", fail)
        effects.make_group.delay_on_commit("bad")
        report = drain_all()
        assert effects.received == ["bad"] * 3
        assert (report.retried, report.dead) == (2, 1)
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (DEAD, 3)
        assert "ValueError: no bad" in row.error
        assert drain_all().total == 0

    def test_succeeds_at_the_third_try(self) -> None:
        """A call that fails twice and then not has its effect once."""
        effects.act("a", lambda name: fail(name) if len(effects.received) < 3 else None)
        effects.make_group.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (1, 2, 0)
        assert effects.names() == ["a"]

    def test_backs_off(self) -> None:
        """A failed call is due again later, by Celery's backoff."""
        effects.act("bad", fail)
        effects.make_group_patiently.delay_on_commit("bad")
        OutboxCall.objects.update(attempts=6)
        assert drain_all().retried == 1
        row = OutboxCall.objects.get()
        assert row.attempts == 7
        assert 64 <= (row.available_at - row.created_at).total_seconds() < 70  # 2 ** 6

    def test_database_error_in_a_call(self) -> None:
        """A broken constraint is the call's failure, not the batch's."""
        Group.objects.create(name="taken")
        with transaction.atomic():
            for name in ("a", "taken", "b"):
                effects.make_group.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.dead) == (2, 1)
        assert effects.names() == ["taken", "a", "b"]

    @pytest.mark.parametrize("names", [["spoiled"], ["a", "spoiled", "b"]])
    def test_rolls_back_quietly(self, names: list[str]) -> None:
        """A call whose effects roll back has failed, even if its function returns as if not."""
        effects.act("spoiled", lambda name: transaction.set_rollback(True))
        with transaction.atomic():
            for name in names:
                effects.make_group.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.dead) == (len(names) - 1, 1)
        assert effects.names() == names[:1] * (len(names) > 1) + names[2:]
        assert "TransactionManagementError" in OutboxCall.objects.get().error

    def test_constraint_checked_at_commit(self) -> None:
        """A foreign key that only COMMIT finds broken is its call's failure too."""
        effects.act("bad", lambda _: Permission.objects.create(content_type_id=10**6, codename="x"))
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.make_group.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.dead) == (2, 1)
        assert effects.names() == ["a", "b"]

    @pytest.mark.parametrize(
        ("error", "status", "attempts"),
        [
            (Reject("never"), DEAD, 1),
            (BrokerError("down"), OutboxCall.Status.PENDING, 0),
        ],
    )
    def test_errors_with_a_meaning(self, error: Exception, status: str, attempts: int) -> None:
        """A rejected call is not tried again; an outage of the broker is no attempt."""

        def act(name: str) -> None:
            raise error

        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        drain_task(task(effects.make_group), "default", seconds=0)
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (status, attempts)

    def test_ignore(self) -> None:
        """Celery's Ignore ends the call, its effect kept."""

        def act(name: str) -> None:
            raise Ignore

        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        assert drain_all().settled == 1
        assert effects.names() == ["a"]

    def test_bound_task_retries(self) -> None:
        """``self.retry`` puts the call off, ``self.request.retries`` counts."""
        effects.act("a", fail)
        effects.make_group_bound.delay_on_commit("a")
        report = drain_all()
        assert effects.received == [0, "a", 1, "a", 2, "a"]
        assert (report.retried, report.dead) == (2, 1)
        assert "ValueError: no a" in OutboxCall.objects.get().error


class TestStored:
    """Rows that this code can't run."""

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"payload": "[[], {"}, "can't be read"),
            ({"payload": "[1]"}, "can't be read"),
            ({"context": "?"}, "can't be read"),
            ({"payload": '[[], {"title": "a"}]'}, "unexpected keyword argument 'title'"),
            ({"payload": "[[], {}]"}, "missing 1 required positional argument: 'name'"),
        ],
    )
    def test_dead(self, settings: Any, values: dict[str, str], error: str) -> None:
        """What can't be decoded, or fits no worker's function, is a dead letter with the reason."""
        settings.OUTBOX_UNKNOWN_TASK_GRACE = 0
        effects.make_group.delay_on_commit("bad")
        OutboxCall.objects.update(**values)
        effects.make_group.delay_on_commit("good")
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (1, 0, 1)
        assert error in OutboxCall.objects.get().error

    def test_unreadable_in_a_batch(self) -> None:
        """Nor does one that can't be decoded spoil its batch."""
        effects.make_groups.delay_on_commit(name="bad")
        OutboxCall.objects.update(payload="?")
        effects.make_groups.delay_on_commit(name="good")
        report = drain_all()
        assert (report.settled, report.dead) == (1, 1)

    def test_unknown_task(self, settings: Any) -> None:
        """A call whose task nobody has waits for a while, then is a dead letter."""
        effects.make_group.delay_on_commit("a")
        OutboxCall.objects.update(task="tests.gone")
        assert drain_all().total == 0
        settings.OUTBOX_UNKNOWN_TASK_GRACE = 1e-9
        assert drain_all().dead == 1
        assert "named 'tests.gone'" in OutboxCall.objects.get().error


class TestBatch:
    """A task that gets a list of calls."""

    def test_together(self) -> None:
        """All calls that are due come in one call of the function."""
        with transaction.atomic():
            for name in "abc":
                effects.make_groups.delay_on_commit(name=name)
        assert drain_all().settled == 3
        assert effects.names() == ["a", "b", "c"]

    def test_one_fails(self) -> None:
        """When a batch fails its calls run alone: all but the failing one have their effect."""
        effects.act("bad", fail)
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.make_groups.delay_on_commit(name=name)
        report = drain_all()
        assert (report.settled, report.dead) == (2, 1)
        assert effects.names() == ["a", "b"]

    def test_fails_only_together(self) -> None:
        """Calls that fail only in company have their effects all the same."""
        effects.act("b", lambda name: fail(name) if effects.received == ["a", "b"] else None)
        with transaction.atomic():
            for name in "ab":
                effects.make_groups.delay_on_commit(name=name)
        report = drain_all()
        assert (report.settled, report.retried) == (2, 0)
        assert effects.batches == [["a", "b"], ["a"], ["b"]]
        assert effects.names() == ["a", "b"]

    def test_several_fail(self) -> None:
        """Of several that fail each is a dead letter by its own error; the others settle."""
        self.check_several(effects.make_groups)
        names = ["a", "bad 1", "b", "bad 2", "c"]
        assert effects.batches[:6] == [names, *([name] for name in names)]

    def test_several_fail_alone(self) -> None:
        """So it is with a task that gets one call's arguments."""
        self.check_several(effects.make_group)

    def check_several(self, proxy: Any) -> None:
        """Drain two calls that fail among three that don't."""
        for bad in ("bad 1", "bad 2"):
            effects.act(bad, fail)
        with transaction.atomic():
            for name in ("a", "bad 1", "b", "bad 2", "c"):
                proxy.delay_on_commit(name=name)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (3, 4, 2)
        assert effects.names() == ["a", "b", "c"]
        dead = OutboxCall.objects.filter(status=DEAD).order_by("pk")
        lines = [row.error.strip().splitlines()[-1] for row in dead]
        assert lines == ["ValueError: no bad 1", "ValueError: no bad 2"]
        assert {row.attempts for row in dead} == {3}

    def test_calls_of_a_batch_that_failed(self) -> None:
        """What a batch called before it failed is not called twice."""

        def act(name: str) -> None:
            effects.make_group.delay_on_commit(f"child of {name}")
            if len(effects.received) == 1:
                fail(name)

        effects.act("a", act)
        effects.make_groups.delay_on_commit(name="a")
        drain_all()
        assert effects.names() == ["a", "child of a"]


class TestTransient:
    """The database fails, not the call."""

    def test_deadlock(self) -> None:
        """A batch that was a deadlock's victim is run again at once; that is no attempt."""
        errors = [deadlock(), deadlock()]

        def act(name: str) -> None:
            if errors:
                raise errors.pop()

        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.retried) == (1, 0)
        assert effects.names() == ["a"]

    def test_goes_on(self) -> None:
        """A call that meets one each time is put off, no attempt counted; the others settle."""

        def act(name: str) -> None:
            raise deadlock()

        effects.act("bad", act)
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.make_group.delay_on_commit(name)
        report = drain_task(task(effects.make_group), "default", seconds=0)
        report.add(drain_task(task(effects.make_group), "default", seconds=0))
        row = OutboxCall.objects.get(payload__contains="bad")
        assert (row.status, row.attempts) == (OutboxCall.Status.PENDING, 0)
        assert report.retried >= 1

    @pytest.mark.parametrize(
        ("name", "statement"),
        [
            ("full_name", "SELECT full_name FROM auth_group"),
            ("blocked_users", "SELECT 1 FROM blocked_users"),
            ("closed", "SELECT closed FROM auth_group"),
        ],
    )
    @pytest.mark.parametrize("outside", [False, True])
    def test_words(self, name: str, statement: str, outside: bool) -> None:
        """An error of a call's own is an attempt, whatever words are in it."""

        def act(_: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute(statement)

        effects.act("bad", act)
        proxy = effects.send_outside if outside else effects.make_group
        for each in ("a", "bad", "b"):
            proxy.delay_on_commit(each)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (2, 2, 1)
        assert name in OutboxCall.objects.get().error

    def test_another_server_gone(self) -> None:
        """A call whose own database goes on failing, ours not, is a dead letter in the end."""

        def act(name: str) -> None:
            raise OperationalError("connection to the other server is closed")

        effects.act("bad", act)
        with transaction.atomic():
            for name in ("a", "bad", "b"):
                effects.make_group.delay_on_commit(name)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (2, 2, 1)
        assert effects.names() == ["a", "b"]

    def test_database_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If nothing can be written the call is left as it was, and other tasks have a turn."""
        settle = failures.settle_failed

        def fail_to_settle(*args: Any) -> Any:
            raise OperationalError("the connection is closed")

        effects.act("bad", lambda name: fail(name))
        effects.make_group.delay_on_commit("bad")
        effects.make_groups.delay_on_commit(name="other")
        monkeypatch.setattr(failures, "settle_failed", fail_to_settle)
        with pytest.raises(OperationalError):
            drain_all()
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts, row.crashes) == (OutboxCall.Status.PENDING, 0, 0)
        assert effects.names() == ["other"]
        monkeypatch.setattr(failures, "settle_failed", settle)

    def test_miscounted_crash(self, settings: Any) -> None:
        """A process that was taken for dead while it only waited takes the crash back."""
        settings.OUTBOX_MAX_CRASHES = 1
        settings.OUTBOX_CRASH_GRACE = 1e-6

        def act(name: str) -> None:
            if len(effects.received) == 1:
                raise deadlock()

        def recover(batch: Any) -> Any:
            if len(effects.received) == 1:
                assert recover_crashed("default") == 1
            return lock(batch)

        lock = Batch.lock
        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Batch, "lock", recover)
            assert drain_all().settled == 1
        assert effects.names() == ["a"]

    @pytest.mark.parametrize(("error", "crashes"), [(KeyboardInterrupt, 0), (SystemExit, 1)])
    def test_asked_to_stop(self, settings: Any, error: type[BaseException], crashes: int) -> None:
        """Who interrupts a process leaves its call as it was; a call that exits has crashed."""
        settings.OUTBOX_CRASH_GRACE = 1e-6

        def act(name: str) -> None:
            raise error

        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        with pytest.raises(error):
            drain_all()
        recover_crashed("default")
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (OutboxCall.Status.PENDING, 0)
        assert row.crashes == crashes
        assert effects.names() == []
