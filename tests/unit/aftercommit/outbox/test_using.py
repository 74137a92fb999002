"""``task.using(alias)``: the database whose transaction a call belongs to."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


def test_delay_on_commit() -> None:
    """The call is in the database that is named, and commits with its transaction."""
    with transaction.atomic():
        call = effects.make_group.using("default").delay_on_commit(name="a")
        assert not OutboxCall.objects.exists()
    assert call.using == "default"
    row = OutboxCall.objects.get()
    assert (row.pk, row.task) == (call.pk, effects.make_group.name)


def test_rolled_back() -> None:
    """A call of a transaction that rolls back is not stored."""
    with transaction.atomic():
        effects.make_group.using("default").delay_on_commit("a")
        transaction.set_rollback(True)
    assert not OutboxCall.objects.exists()


def test_argument_of_the_same_name() -> None:
    """A function can have an argument that is called ``using``: it is no option."""
    effects.take_values.using("default").delay_on_commit(using="mine", alias="yours")
    assert OutboxCall.objects.get().payload == '[[], {"using": "mine", "alias": "yours"}]'


def test_options() -> None:
    """``apply_async_on_commit`` takes the options of a call."""
    using = effects.make_group.using("default")
    call = using.apply_async_on_commit(["a"], countdown=60, headers={"tenant": "x"})
    assert (call.countdown, call.is_due) == (60, False)
    assert '"tenant": "x"' in OutboxCall.objects.get().payload


def test_from_a_coroutine() -> None:
    """``adelay_on_commit`` is there for coroutines."""
    call = async_to_sync(effects.make_group.using("default").adelay_on_commit)("a")
    assert OutboxCall.objects.get().pk == call.pk
    assert (
        repr(effects.make_group.using("default")) == f"<{effects.make_group.name} using 'default'>"
    )


@pytest.mark.parametrize(
    "call",
    [
        effects.make_group.delay_on_commit,
        effects.make_group.using("default").delay_on_commit,
        lambda name: effects.make_group.apply_async_on_commit([name]),
        lambda name: effects.make_group.s(name).delay_on_commit(),
    ],
)
def test_plain_in_a_coroutine(call: Callable[[str], object]) -> None:
    """The plain form is refused in a coroutine, by an error that names the other."""

    async def view() -> None:
        call("a")

    with pytest.raises(SynchronousOnlyOperation, match=r"Write 'await make_group\.adelay_on_comm"):
        async_to_sync(view)()
    assert not OutboxCall.objects.exists()


class TestRefused:
    """What is no database."""

    NO_ALIAS = (
        r"effects\.make_group: using=.*is not the alias of a database; DATABASES has 'default'"
    )
    UNKNOWN = r"effects\.make_group: there is no database 'typo'; DATABASES has 'default'"

    @pytest.mark.parametrize("alias", [None, 1, connections["default"]])
    def test_no_alias(self, alias: Any) -> None:
        """What is no alias, such as that of an instance that was never saved, is refused."""
        with pytest.raises(TypeError, match=self.NO_ALIAS):
            effects.make_group.using(alias)

    def test_unknown(self) -> None:
        """An alias that DATABASES doesn't have is refused, with those that it has."""
        with pytest.raises(ConnectionDoesNotExist, match=self.UNKNOWN):
            effects.make_group.using("typo")

    def test_unknown_in_a_call(self) -> None:
        """The other ways to name a database refuse it with the same sentence."""
        with pytest.raises(ConnectionDoesNotExist, match=self.UNKNOWN):
            effects.make_group.apply_async_on_commit(["a"], using="typo")
        with pytest.raises(ConnectionDoesNotExist, match=self.UNKNOWN):
            call_on_commit(effects.make_group, ["a"], using="typo")
        with pytest.raises(ConnectionDoesNotExist, match=self.UNKNOWN):
            effects.make_group.s("a").apply_async_on_commit(using="typo")

    def test_no_alias_in_a_call(self) -> None:
        """So is what is no alias."""
        with pytest.raises(TypeError, match=self.NO_ALIAS):
            call_on_commit(effects.make_group, ["a"], using=connections["default"])  # type: ignore[arg-type]

    def test_arguments(self) -> None:
        """The arguments are checked as without a database."""
        with pytest.raises(TypeError, match=r"effects\.make_group: .*nam"):
            effects.make_group.using("default").delay_on_commit(nam="a")  # type: ignore[call-arg]
