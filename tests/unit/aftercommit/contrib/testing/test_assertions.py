"""What a test asserts about its calls, and what it reads when it is wrong."""

from typing import Any
from unittest.mock import ANY

import pytest
from celery import shared_task
from django.db import transaction

from aftercommit.contrib.testing import Outbox
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db
make_group = effects.make_group
NAME = make_group.name


@shared_task
def pay(order: int, amount: Any = None, *, task: str = "", args: str = "") -> None:
    """Take arguments of names that an assertion could mistake for its own."""


def fails(function: Any, *args: Any, **kwargs: Any) -> str:
    """The message of an assertion that has to fail."""
    with pytest.raises(AssertionError) as raised:
        function(*args, **kwargs)
    return str(raised.value)


class TestCalled:
    """``assert_called``."""

    def test_any_arguments(self, outbox: Outbox) -> None:
        """Without arguments any call of the task will do."""
        make_group.delay_on_commit("a")
        outbox.assert_called(make_group)
        assert fails(outbox.assert_called, effects.send_outside).startswith(
            f"Expected a call of {effects.send_outside.name}.\n"
            f"This test has handed over:\n  {NAME}('a')"
        )

    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [
            ((7, [1, 2]), {}),
            ((7, (1, 2)), {}),
            ((7,), {"amount": (1, 2)}),
            ((), {"order": 7, "amount": [1, 2]}),
            ((7, ANY), {}),
            ((7, [1, ANY]), {}),
            ((7, (ANY, 2)), {"task": ""}),
        ],
    )
    def test_same_arguments(
        self, outbox: Outbox, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """What the function gets is compared, not how it was written."""
        pay.delay_on_commit(7, amount=(1, 2))
        outbox.assert_called(pay, *args, **kwargs)
        outbox.assert_called_once(pay, *args, **kwargs)
        fails(outbox.assert_not_called, pay, *args, **kwargs)

    def test_names(self, outbox: Outbox) -> None:
        """A task's arguments can have any name."""
        pay.delay_on_commit(1, task="x", args="y")
        outbox.assert_called(pay, order=1, task="x", args="y")

    def test_other_arguments(self, outbox: Outbox) -> None:
        """Other arguments are another call. The message has both."""
        pay.delay_on_commit(7)
        message = fails(outbox.assert_called, pay, 8)
        assert f"Expected a call of {pay.name}(8)." in message
        assert f"  {pay.name}(7)" in message

    def test_impossible_arguments(self, outbox: Outbox) -> None:
        """Arguments that the function doesn't take are a mistake in the test."""
        pay.delay_on_commit(7)
        for check in (outbox.assert_called, outbox.assert_not_called):
            with pytest.raises(TypeError, match="no call can have these arguments"):
                check(pay, orders=7)

    def test_batch(self, outbox: Outbox) -> None:
        """A batch task's calls have their own arguments."""
        effects.make_groups.delay_on_commit(name="a")
        outbox.assert_called(effects.make_groups, name="a")
        outbox.assert_not_called(effects.make_groups, name="b")

    def test_options_are_written(self, outbox: Outbox) -> None:
        """A call's time and options are in the message."""
        pay.apply_async_on_commit((7,), countdown=60, headers={"x": 1})
        assert "(7) countdown=60 headers={'x': 1}" in fails(outbox.assert_nothing_called)


class TestCalledOnce:
    """``assert_called_once``."""

    def test_once(self, outbox: Outbox) -> None:
        """Another task's calls don't count."""
        pay.delay_on_commit(1)
        make_group.delay_on_commit("a")
        outbox.assert_called_once(pay)

    def test_twice(self, outbox: Outbox) -> None:
        """A second call counts, whatever its arguments are."""
        pay.delay_on_commit(1)
        pay.delay_on_commit(2)
        outbox.assert_called(pay, 1)
        assert f"Expected one call, {pay.name}(1)" in fails(outbox.assert_called_once, pay, 1)
        assert f"Expected one call, {pay.name}, and" in fails(outbox.assert_called_once, pay)

    def test_never(self, outbox: Outbox) -> None:
        """Nor does no call count, or one with other arguments."""
        fails(outbox.assert_called_once, pay)
        pay.delay_on_commit(1)
        fails(outbox.assert_called_once, pay, 2)


class TestNotCalled:
    """``assert_not_called`` and ``assert_nothing_called``."""

    def test_not_called(self, outbox: Outbox) -> None:
        """Another task's call doesn't count, nor one with other arguments."""
        outbox.assert_nothing_called()
        pay.delay_on_commit(1)
        outbox.assert_not_called(make_group)
        outbox.assert_not_called(pay, 2)
        assert "Expected no call" in fails(outbox.assert_not_called, pay)
        assert "Expected no calls" in fails(outbox.assert_nothing_called)


class TestHints:
    """What can be the reason why a call isn't there."""

    def test_rolled_back(self, outbox: Outbox) -> None:
        """A call that a rollback undid is named."""
        with transaction.atomic():
            pay.delay_on_commit(1)
            transaction.set_rollback(True)
        outbox.assert_nothing_called()
        assert f"rolled back:\n  {pay.name}(1)" in fails(outbox.assert_called, pay, 1)

    def test_callback(self, outbox: Outbox) -> None:
        """So is a callback that a TestCase doesn't run, in which the call is perhaps made."""
        transaction.on_commit(lambda: pay.delay_on_commit(1))
        message = fails(outbox.assert_called, pay)
        assert "callbacks that wait, and that may make calls: 1." in message
        assert "captureOnCommitCallbacks(execute=True)" in message

    @pytest.mark.parametrize("task", ["pay", NAME, print, None, lambda: None])
    def test_no_task(self, outbox: Outbox, task: Any) -> None:
        """What is no task is refused, also where nothing was called."""
        for check in (outbox.assert_called, outbox.assert_not_called, outbox.calls.of):
            with pytest.raises(TypeError, match="is not a Celery task"):
                check(task)
