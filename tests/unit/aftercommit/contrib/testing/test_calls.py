"""``outbox.calls``: what a test has handed over, and what a rollback has undone."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from celery import chain, current_app
from django.db import connection, transaction
from django.test import TestCase

from aftercommit import call_on_commit, start_on_commit
from aftercommit.context import Context, use
from aftercommit.contrib.testing import Outbox, watch_outbox
from aftercommit.outbox import wake
from aftercommit.outbox.calling import START
from aftercommit.outbox.watchers import watchers
from tests.unit.aftercommit import effects

make_group = effects.make_group

BOTH_KINDS = [
    pytest.param(False, marks=pytest.mark.django_db, id="TestCase"),
    pytest.param(True, marks=pytest.mark.django_db(transaction=True), id="TransactionTestCase"),
]


class RollBackError(Exception):
    """What ends a block in these tests."""


def names(outbox: Outbox) -> list[Any]:
    """The first argument of each call."""
    return [[*call.args, *call.kwargs.values()][0] for call in outbox.calls]


@pytest.mark.parametrize("commits", BOTH_KINDS)
class TestHandedOver:
    """In a TestCase, which never commits, and in one that does."""

    def test_nothing(self, outbox: Outbox, commits: bool) -> None:
        """A test begins without calls."""
        assert outbox.calls == ()

    def test_in_order(self, outbox: Outbox, commits: bool) -> None:
        """Calls are in the order in which they were made, whatever their task is."""
        make_group.delay_on_commit("a")
        with transaction.atomic():
            effects.send_outside.delay_on_commit("b")
            make_group.delay_on_commit(name="c")
            assert names(outbox) == ["a", "b", "c"]
        assert names(outbox) == ["a", "b", "c"]
        assert [call.kwargs or call.args for call in outbox.calls.of(make_group)] == [
            ["a"],
            {"name": "c"},
        ]

    def test_values(self, outbox: Outbox, commits: bool) -> None:
        """A call says all that was given with it."""
        with use(Context("7", "ann")):
            made = effects.take_values.apply_async_on_commit(
                kwargs={"at": datetime(2030, 1, 1, tzinfo=UTC)}, countdown=60, expires=90
            )
        (call,) = outbox.calls
        assert (call.id, call.task, call.database) == (made.id, effects.take_values.name, "default")
        assert call.kwargs == {"at": datetime(2030, 1, 1, tzinfo=UTC)}
        assert (call.countdown, call.eta, call.options) == (60, None, {"expires": 90})
        assert (call.context, call.carried) == (Context("7", "ann"), {})

    def test_savepoint_rolled_back(self, outbox: Outbox, commits: bool) -> None:
        """Its calls are undone. Those around it are not."""
        with transaction.atomic():
            make_group.delay_on_commit("kept")
            with pytest.raises(RollBackError), transaction.atomic():
                make_group.delay_on_commit("dropped")
                raise RollBackError
        assert names(outbox) == ["kept"]
        assert [call.args for call in outbox.undone] == [["dropped"]]

    def test_transaction_rolled_back(self, outbox: Outbox, commits: bool) -> None:
        """None of its calls was handed over."""
        with pytest.raises(RollBackError), transaction.atomic():
            make_group.delay_on_commit("dropped")
            raise RollBackError
        assert (outbox.calls, len(outbox.undone)) == ((), 1)

    def test_savepoint_by_hand(self, outbox: Outbox, commits: bool) -> None:
        """A savepoint that is made by hand undoes calls as ``atomic()`` does."""
        with transaction.atomic():
            mark = str(connection.savepoint())
            make_group.delay_on_commit("dropped")
            transaction.savepoint_rollback(mark)
        assert (outbox.calls, len(outbox.undone)) == ((), 1)

    def test_settled(self, outbox: Outbox, commits: bool) -> None:
        """A call stays in the list after it ran."""
        make_group.delay_on_commit("a")
        outbox.drain()
        assert names(outbox) == ["a"]

    def test_cleared(self, outbox: Outbox, commits: bool) -> None:
        """What a test prepares can be forgotten, and still runs."""
        make_group.delay_on_commit("a")
        with transaction.atomic():
            make_group.delay_on_commit("dropped")
            transaction.set_rollback(True)
        outbox.clear()
        make_group.delay_on_commit("b")
        assert (names(outbox), outbox.undone) == (["b"], ())
        assert outbox.drain().done == 2

    def test_undone_after_it_was_stored(self, outbox: Outbox, commits: bool) -> None:
        """A savepoint takes its calls back also where a test has run the callbacks in it."""
        with pytest.raises(RollBackError), transaction.atomic():
            with TestCase.captureOnCommitCallbacks(execute=True):
                make_group.delay_on_commit("dropped")
            raise RollBackError
        assert outbox.calls == ()

    def test_ways_to_call(self, outbox: Outbox, commits: bool) -> None:
        """Each way to call a task durably is seen."""
        ways: list[Callable[[], Any]] = [
            lambda: make_group.apply_async_on_commit(("a",)),
            lambda: make_group.using("default").delay_on_commit("b"),
            lambda: make_group.using("default").apply_async_on_commit(("c",)),
            lambda: make_group.s("d").delay_on_commit(),
            lambda: start_on_commit(make_group.s("e")),
            lambda: call_on_commit(make_group, ("f",)),
            lambda: async_to_sync(make_group.adelay_on_commit)("g"),
            lambda: async_to_sync(make_group.using("default").adelay_on_commit)("h"),
        ]
        for way in ways:
            way()
        assert names(outbox) == list("abcdefgh")

    def test_canvas(self, outbox: Outbox, commits: bool) -> None:
        """A canvas is a call of the task that starts it."""
        chain(make_group.si("a"), make_group.si("b")).delay_on_commit()
        assert [call.task for call in outbox.calls] == [START]

    def test_captured(self, outbox: Outbox, commits: bool) -> None:
        """A call that Django's ``captureOnCommitCallbacks`` stored counts once."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            make_group.delay_on_commit("a")
        assert names(outbox) == ["a"]

    def test_callbacks_run_by_hand(
        self, outbox: Outbox, commits: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So does a call that an older project's helper ran off the list."""
        make_group.delay_on_commit("a")
        monkeypatch.setattr(connection, "validate_no_atomic_block", lambda: None)
        connection.run_and_clear_commit_hooks()
        assert names(outbox) == ["a"]


@pytest.mark.django_db(transaction=True)
class TestThreads:
    """Other connections, such as those of a live server."""

    def test_of_another_thread(self, outbox: Outbox) -> None:
        """Calls of each thread are seen, and its rollback undoes them."""

        def make() -> None:
            make_group.delay_on_commit("a")
            with transaction.atomic():
                make_group.delay_on_commit("b")
                transaction.set_rollback(True)
            connection.close()

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        assert names(outbox) == ["a"]
        assert len(outbox.undone) == 1


@pytest.fixture
def _earlier(request: pytest.FixtureRequest) -> None:
    """A call that a fixture made before the test began to watch."""
    request.getfixturevalue("transactional_db" if request.param else "db")
    make_group.apply_async_on_commit(("earlier",), countdown=60)
    with transaction.atomic():
        make_group.delay_on_commit("gone")
        transaction.set_rollback(True)


@pytest.mark.parametrize("_earlier", [False, True], indirect=True)
def test_of_a_fixture(_earlier: None, outbox: Outbox) -> None:
    """The calls of fixtures are the test's, in whatever order the test names them."""
    assert names(outbox) == ["earlier"]
    outbox.drain(later=True)
    assert effects.names() == ["earlier"]


class SetUpDataTest(TestCase):
    """Calls of ``setUpTestData`` are those of no test."""

    @classmethod
    def setUpTestData(cls) -> None:
        """Make a call for all tests of the class."""
        make_group.delay_on_commit("of the class")

    def test_not_of_this_test(self) -> None:
        """A test that asks later doesn't see it, and doesn't run it."""
        make_group.delay_on_commit("of the test")
        with watch_outbox() as outbox:
            assert names(outbox) == ["of the test"]
            outbox.drain()
        assert effects.received == ["of the test"]

    def test_nor_of_the_next(self) -> None:
        """The call is still the class's afterwards."""
        with watch_outbox() as outbox:
            assert outbox.drain().done == 0


@pytest.mark.django_db
class TestEager:
    """With ``CELERY_TASK_ALWAYS_EAGER``."""

    @pytest.fixture(autouse=True)
    def _eager(self) -> Iterator[None]:
        conf: Any = current_app.conf
        conf.update(task_always_eager=True)
        yield
        conf.update(task_always_eager=False)

    def test_waiting(self, outbox: Outbox) -> None:
        """A call is seen while it waits for the commit, and when it has run."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            make_group.delay_on_commit("a")
            assert (names(outbox), effects.names()) == (["a"], [])
        assert (names(outbox), effects.names()) == (["a"], ["a"])

    @pytest.mark.django_db(transaction=True)
    def test_committed(self, outbox: Outbox) -> None:
        """So is one whose transaction really commits."""
        with transaction.atomic():
            make_group.delay_on_commit("a")
        assert (names(outbox), effects.names()) == (["a"], ["a"])

    def test_drain(self, outbox: Outbox) -> None:
        """A drain says that it would run nothing."""
        with pytest.raises(RuntimeError, match="captureOnCommitCallbacks"):
            outbox.drain()


class TestNothingLeaks:
    """Between tests."""

    @pytest.mark.django_db
    def test_watching_ends(self) -> None:
        """No watcher is left after a test, and wake-ups are sent again."""
        usual = wake._waker
        with watch_outbox() as outbox:
            assert (len(watchers), wake._waker is usual) == (1, False)
            make_group.delay_on_commit("a")
        make_group.delay_on_commit("b")
        assert (watchers, wake._waker, names(outbox)) == ([], usual, ["a"])

    def test_without_a_database(self, outbox: Outbox) -> None:
        """A test that has no database can ask for the outbox too."""
        outbox.assert_nothing_called()
