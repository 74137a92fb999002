"""What a receiver can do with a task, and what it is told when it can't."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from celery import shared_task
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy

from aftercommit.context import Context, use
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import OutboxTask, find_task
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


class TestDelayOnCommit:
    """``task.delay_on_commit``."""

    def test_every_task_has_it(self) -> None:
        """@shared_task needs no base class to be durable."""
        assert isinstance(effects.make_group._get_current_object(), OutboxTask)

    def test_stores_and_runs(self) -> None:
        """A call of a committed transaction is a row, then its effect."""
        with transaction.atomic():
            effects.make_group.delay_on_commit(name="a")
            assert not OutboxCall.objects.exists()
        assert OutboxCall.objects.get().task == effects.make_group.name
        assert drain_all().settled == 1
        assert effects.names() == ["a"]
        assert not OutboxCall.objects.exists()

    def test_outside_a_transaction(self) -> None:
        """In autocommit mode a call is stored at once."""
        effects.make_group.delay_on_commit("a")
        assert OutboxCall.objects.count() == 1

    def test_positional_arguments(self) -> None:
        """Positional arguments arrive as such."""
        effects.make_group.delay_on_commit("a")
        drain_all()
        assert effects.names() == ["a"]

    def test_values_round_trip(self) -> None:
        """What Celery's JSON carries arrives as what it was."""
        values: dict[str, Any] = {
            "date": datetime.date(2026, 2, 28),
            "time": datetime.datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=datetime.UTC),
            "price": Decimal("10.00"),
            "key": uuid.uuid4(),
            "text": "a\x00b 😀 'quoted' %s {} \\",
            "none": None,
            "nested": {"list": [1, 2.5, True, {"price": Decimal("0.1")}]},
        }
        effects.take_values.delay_on_commit(**values)
        drain_all()
        assert effects.received == [values]

    def test_lazy_text(self) -> None:
        """A translated text arrives as the text."""
        effects.take_values.delay_on_commit(text=gettext_lazy("Yes"))
        drain_all()
        assert effects.received == [{"text": "Yes"}]

    def test_fail_not_serializable(self) -> None:
        """What JSON can't carry raises in the receiver, with the task's and argument's name."""
        with pytest.raises(
            TypeError, match=r"effects\.take_values: argument 'group' .*primary key"
        ):
            effects.take_values.delay_on_commit(fine=1, group=Group(name="a"))
        assert not OutboxCall.objects.exists()

    def test_fail_not_serializable_positional(self) -> None:
        """A positional argument is named by its place."""
        with pytest.raises(TypeError, match=r"effects\.make_group: argument 'number 1'"):
            effects.make_group.delay_on_commit(object())  # type: ignore[arg-type]

    def test_fail_signature(self) -> None:
        """Arguments that the function doesn't take raise in the receiver."""
        with pytest.raises(TypeError, match=r"effects\.make_group: .*nam"):
            effects.make_group.delay_on_commit(nam="a")  # type: ignore[call-arg]


class TestApplyAsyncOnCommit:
    """``task.apply_async_on_commit``."""

    def test_countdown(self) -> None:
        """A call with a countdown is due that long after the commit, by the database's clock."""
        effects.make_group.apply_async_on_commit(["a"], countdown=60)
        row = OutboxCall.objects.get()
        assert row.available_at - row.created_at == pytest.approx(
            datetime.timedelta(seconds=60), abs=datetime.timedelta(seconds=0.01)
        )
        assert drain_all().total == 0

    def test_eta(self) -> None:
        """A call with an eta is due at that time."""
        eta = timezone.now() + datetime.timedelta(hours=1)
        effects.make_group.apply_async_on_commit(["later"], eta=eta)
        effects.make_group.apply_async_on_commit(["now"], eta=timezone.now())
        drain_all()
        assert effects.names() == ["now"]
        late = OutboxCall.objects.get().available_at - eta
        assert abs(late) < datetime.timedelta(seconds=0.01)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"countdown": 1, "eta": timezone.now()}, "countdown or eta, not both"),
            ({"eta": datetime.datetime(2026, 1, 1)}, "no time zone"),
            ({"queue": "other"}, "not queue"),
        ],
    )
    def test_fail_options(self, options: dict[str, Any], message: str) -> None:
        """An option that can't be kept raises, and says which."""
        with pytest.raises(TypeError, match=message):
            effects.make_group.apply_async_on_commit(["a"], **options)


class TestContext:
    """The context of a call."""

    def test_follows_the_call(self) -> None:
        """Who did it, in which request, is known in the task."""
        context = Context("7", "ann", "request-1", "127.0.0.1")
        with use(context):
            effects.make_group.delay_on_commit("a")
        drain_all()
        assert effects.contexts == [context]

    def test_follows_into_calls_that_a_task_makes(self) -> None:
        """A task's own calls have the context of the call that it runs."""
        effects.act("first", lambda _: effects.make_group.delay_on_commit("second"))
        context = Context("7", "ann")
        with use(context):
            effects.make_group.delay_on_commit("first")
        drain_all()
        assert effects.contexts == [context, context]


class TestDirectly:
    """Celery's own ways to call a task."""

    def test_call(self) -> None:
        """Calling the task calls the function."""
        effects.make_group("a")
        assert effects.names() == ["a"]

    def test_within_a_task(self) -> None:
        """So it does while a call runs."""
        effects.act("outer", lambda _: effects.make_group("inner"))
        effects.make_group.delay_on_commit("outer")
        drain_all()
        assert effects.names() == ["outer", "inner"]

    def test_apply(self) -> None:
        """``apply`` runs it with its arguments."""
        assert effects.make_group.apply(("a",)).successful()


class TestDefinition:
    """What a task may be declared as."""

    def test_fail_batch_outside(self) -> None:
        """Outside effects are settled one by one, so a batch of them is refused."""
        with pytest.raises(TypeError, match="batch=True and atomic=False exclude each other"):
            type("bad", (OutboxTask,), {"batch": True, "atomic": False})

    def test_fail_statement_outside(self) -> None:
        """A statement's effects are in the database, so a task of others has none."""
        with pytest.raises(TypeError, match="sql='UPDATE' and atomic=False exclude each other"):
            type("bad", (OutboxTask,), {"sql": "UPDATE", "atomic": False})

    @pytest.mark.parametrize("sql", ["SELECT audit(id) FROM calls", "WITH a AS (SELECT) SELECT"])
    def test_fail_statement_without_effect(self, sql: str) -> None:
        """One that PostgreSQL wouldn't run, since nobody reads what it finds, is refused."""
        with pytest.raises(TypeError, match="has no effect in the database"):
            type("bad", (OutboxTask,), {"sql": sql})

    def test_find_task(self) -> None:
        """Only a task that can drain is found by its name."""

        @shared_task(name="tests.known")
        def known() -> None: ...

        assert known.name == "tests.known"
        assert find_task("tests.known") is not None
        assert find_task("tests.unknown") is None
