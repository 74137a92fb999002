"""``self.outbox`` in the test cases of unittest and Django."""

import unittest

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from aftercommit.contrib.testing import OutboxTestMixin
from aftercommit.outbox.watchers import watchers
from tests.unit.aftercommit import effects


class Shared(OutboxTestMixin):
    """The tests of both kinds of test case."""

    def setUp(self) -> None:
        """Make a call as a project's own ``setUp`` does."""
        super().setUp()
        effects.make_group.delay_on_commit("a")

    def test_drain(self) -> None:
        """Calls are seen, and run."""
        self.outbox.assert_called_once(effects.make_group, "a")
        self.outbox.drain()
        assert effects.names() == ["a"]

    def test_next(self) -> None:
        """The test before has left nothing."""
        assert len(self.outbox.calls) == 1
        assert effects.names() == []

    async def test_coroutine(self) -> None:
        """A test can be a coroutine."""
        await effects.make_group.adelay_on_commit("b")
        report = await self.outbox.adrain()
        assert (report.done, len(self.outbox.calls)) == (2, 2)
        assert effects.received == ["a", "b"]


class InTestCase(Shared, TestCase):
    """In a transaction that rolls back."""


class InTransactionTestCase(Shared, TransactionTestCase):
    """With real transactions."""

    def test_commits(self) -> None:
        """This is the other kind."""
        assert not connection.in_atomic_block


class WithoutDatabase(OutboxTestMixin, SimpleTestCase):
    """A test that has no database."""

    def test_nothing(self) -> None:
        """It has called nothing. A drain says that there is no database."""
        self.outbox.assert_nothing_called()
        with pytest.raises(ImproperlyConfigured, match="databases = "):
            self.outbox.drain()


class TestMisuse:
    """A test case that is put together in the wrong way."""

    def test_no_setup(self) -> None:
        """A ``setUp`` that doesn't call that of the mixin is named."""

        class Case(OutboxTestMixin, unittest.TestCase):
            def setUp(self) -> None:
                pass

            def test_outbox(self) -> None:
                self.outbox.assert_nothing_called()

        result = unittest.TestResult()
        Case("test_outbox").run(result)
        ((_, text),) = result.errors
        assert "Case.outbox begins in setUp(). Call super().setUp() in yours" in text

    def test_next_class(self) -> None:
        """The mixin calls the ``setUp`` of the classes behind it."""
        told: list[str] = []

        class Other(unittest.TestCase):
            def setUp(self) -> None:
                told.append("set up")

        class Case(OutboxTestMixin, Other):
            def test_nothing(self) -> None:
                self.outbox.assert_nothing_called()

        Case("test_nothing").run(unittest.TestResult())
        assert told == ["set up"]

    @pytest.mark.django_db
    def test_ends(self) -> None:
        """A test that fails watches no longer either."""

        class Case(OutboxTestMixin, unittest.TestCase):
            def test_outbox(self) -> None:
                assert watchers
                self.fail()

        result = unittest.TestResult()
        Case("test_outbox").run(result)
        assert (len(result.failures), watchers) == (1, [])
