"""The statements of a request: those of Django's own backend, and one INSERT if it calls tasks."""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase, override_settings
from django.urls import path

from tests.unit.aftercommit import effects
from tests.unit.aftercommit.observe import statements

INSERT = "INSERT aftercommit_outboxcall"

pytestmark = [pytest.mark.every_database, pytest.mark.usefixtures("_urls")]


numbers = count()


class RollBackError(Exception):
    """What ends a transaction in these tests."""


def write(calls: int) -> None:
    """Write a row, and make so many calls."""
    group = Group.objects.create(name=f"a{next(numbers)}")
    for _ in range(calls):
        effects.make_group.delay_on_commit("b")
    Group.objects.filter(pk=group.pk).update(name=f"c{group.pk}")


def view(request: HttpRequest, calls: int) -> HttpResponse:
    """Write in a view."""
    write(calls)
    return HttpResponse()


def block_view(request: HttpRequest, calls: int) -> HttpResponse:
    """Write in a block of a view."""
    with transaction.atomic():
        write(calls)
    return HttpResponse()


urlpatterns = [path("view/<int:calls>", view), path("block/<int:calls>", block_view)]


def in_view(calls: int) -> None:
    """Ask for the view."""
    assert Client().get(f"/view/{calls}").status_code == 200


def in_block_of_view(calls: int) -> None:
    """Ask for the view that has a block."""
    assert Client().get(f"/block/{calls}").status_code == 200


def in_block(calls: int) -> None:
    """Write in a transaction."""
    with transaction.atomic():
        write(calls)


def in_savepoint(calls: int) -> None:
    """Write in a savepoint of a transaction."""
    with transaction.atomic():
        Group.objects.exists()
        in_block(calls)


def in_reading_block(calls: int) -> None:
    """Read in a transaction."""
    with transaction.atomic():
        Group.objects.exists()


def in_empty_block(calls: int) -> None:
    """Do nothing in a transaction."""
    with transaction.atomic():
        pass


def rolled_back(calls: int) -> None:
    """Write what is undone."""
    with pytest.raises(RollBackError), transaction.atomic():
        write(calls)
        raise RollBackError


def in_undone_savepoint(calls: int) -> None:
    """Write what a savepoint undoes, in a transaction that commits."""
    with transaction.atomic():
        Group.objects.exists()
        rolled_back(calls)


Scenario = Callable[[int], object]
COMMITTING: list[Scenario] = [in_block, in_savepoint, in_block_of_view]
SILENT: list[Scenario] = [in_reading_block, in_empty_block, rolled_back, in_undone_savepoint]


@pytest.fixture
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def atomic_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether each view has a transaction."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", request.param)
    return bool(request.param)


def run(scenario: Scenario, calls: int) -> list[str]:
    """The statements of a scenario."""
    with statements() as seen:
        scenario(calls)
    return seen


def run_with_djangos(scenario: Scenario) -> list[str]:
    """The statements of a scenario without calls, on Django's own backend."""
    ours = connections["default"]
    vendor = {"sqlite": "sqlite3"}.get(ours.vendor, ours.vendor)
    module: Any = import_module(f"django.db.backends.{vendor}.base")
    connections["default"] = module.DatabaseWrapper(ours.settings_dict, "default")
    try:
        return run(scenario, 0)
    finally:
        connections["default"].close()
        connections["default"] = ours


@pytest.mark.django_db(transaction=True)
class TestTransactionTestCase:
    """Where transactions are real. One test has all scenarios, since each empties the database."""

    def test_nothing_called(self, atomic_requests: bool) -> None:
        """There is no statement that Django's own backend hasn't got."""
        for scenario in [*COMMITTING, *SILENT, in_view, write]:
            assert run(scenario, 0) == run_with_djangos(scenario), scenario

    def test_called(self, atomic_requests: bool) -> None:
        """All calls of a transaction cost one INSERT, just before its COMMIT."""
        for scenario in COMMITTING:
            *before, commit = run(scenario, 0)
            assert run(scenario, 3) == [*before, INSERT, commit], scenario

    def test_many_calls(self) -> None:
        """However many they are, it is one statement. On PostgreSQL it is a COPY then."""
        *before, commit = run(in_block, 0)
        *same, stored, last = run(in_block, 50)
        assert [*same, last] == [*before, commit]
        assert stored in (INSERT, "COPY STDIN")

    def test_undone(self, atomic_requests: bool) -> None:
        """Calls that are undone cost nothing."""
        for scenario in SILENT:
            assert run(scenario, 3) == run(scenario, 0), scenario

    def test_view(self, atomic_requests: bool) -> None:
        """A view without a transaction pays for each call by itself."""
        usual = run(in_view, 0)
        inserts = [each for each in run(in_view, 3) if each not in usual]
        assert inserts == [INSERT] * (1 if atomic_requests else 3)


@pytest.mark.django_db
class TestTestCase:
    """Where nothing commits: the calls cost nothing, as no COMMIT is reached."""

    def test_called(self, atomic_requests: bool) -> None:
        """There is no statement more with calls than without."""
        for scenario in [*COMMITTING, *SILENT, in_view, write]:
            assert run(scenario, 3) == run(scenario, 0), scenario

    def test_captured(self) -> None:
        """Each call that the test itself stores costs an INSERT."""
        usual = run(in_block, 0)

        def capture(calls: int) -> None:
            with TestCase.captureOnCommitCallbacks(execute=True):
                in_block(calls)

        assert run(capture, 3) == [*usual, *[INSERT] * 3]

    def test_who_is_logged_in(self) -> None:
        """``ContextMiddleware`` asks for the user of a call, which the view need not have done."""
        client = Client()
        client.force_login(User.objects.create(username="ann"))
        usual = run(lambda calls: client.get(f"/view/{calls}") and None, 0)
        called = run(lambda calls: client.get(f"/view/{calls}") and None, 3)
        more = [each for each in called if each not in usual]
        assert more == ["SELECT django_session", "SELECT auth_user"]
