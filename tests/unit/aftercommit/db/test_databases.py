"""Two databases: a call belongs to the one whose transaction made it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import connections, transaction
from pytest_django import DjangoDbBlocker

from aftercommit.contrib.testing import Outbox
from aftercommit.db.aliases import outbox_aliases
from aftercommit.models import OutboxCall
from aftercommit.operations.status import outbox_status
from aftercommit.outbox import misuse_warnings, wake, wake_message
from aftercommit.outbox.turns import begin_turn
from aftercommit.worker import sweep
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.sweeper import Sweeper
from audit.models import AuditLog
from content.models import Author, Product
from core.stack.waiting import wait_until
from tests.factories import AuthorFactory, ProductFactory
from tests.unit.aftercommit import effects

DEFAULT, SECOND = "default", "second"
BOTH = [DEFAULT, SECOND]

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True, databases=BOTH),
    pytest.mark.usefixtures("_second_database"),
]


class RollBackError(Exception):
    """What ends a transaction in these tests."""


@pytest.fixture(scope="module")
def _second_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A second test database on the same server, for as long as these tests run."""
    default = connections[DEFAULT].settings_dict
    name = f"{default['NAME']}_second"
    config = {**default, "NAME": name, "TEST": {**default["TEST"], "NAME": name}}
    connections.settings[SECOND] = config
    with django_db_blocker.unblock():
        creation = connections[SECOND].creation
        creation.create_test_db(verbosity=0, autoclobber=True)
        yield
        creation.destroy_test_db(name, verbosity=0)
    del connections[SECOND], connections.settings[SECOND]


def make_group(name: str, using: str) -> None:
    """A call in the database's transaction."""
    effects.make_group.using(using).delay_on_commit(name)


def waiting() -> dict[str, int]:
    """How many calls are in each database."""
    return {alias: OutboxCall.objects.using(alias).count() for alias in BOTH}


class TestStored:
    """Where a call is written."""

    def test_own_database(self) -> None:
        """In the database whose transaction made it."""
        with transaction.atomic(), transaction.atomic(using=SECOND):
            make_group("a", DEFAULT)
            make_group("b", SECOND)
            make_group("c", SECOND)
            assert waiting() == {DEFAULT: 0, SECOND: 0}
        assert waiting() == {DEFAULT: 1, SECOND: 2}

    def test_at_its_own_commit(self) -> None:
        """When that one commits, whatever becomes of another's around it."""
        with pytest.raises(RollBackError), transaction.atomic():
            make_group("a", DEFAULT)
            with transaction.atomic(using=SECOND):
                make_group("b", SECOND)
            raise RollBackError
        assert waiting() == {DEFAULT: 0, SECOND: 1}

    def test_rolled_back_alone(self) -> None:
        """Its rollback takes no other database's calls with it."""
        with transaction.atomic():
            make_group("a", DEFAULT)
            with pytest.raises(RollBackError), transaction.atomic(using=SECOND):
                make_group("b", SECOND)
                raise RollBackError
        assert waiting() == {DEFAULT: 1, SECOND: 0}

    def test_of_a_model(self) -> None:
        """The calls of a model's signals are in the database that it was saved in."""
        product = ProductFactory()
        drain_all()
        product.save(using=SECOND)
        assert waiting() == {DEFAULT: 0, SECOND: 1}


class TestEffects:
    """What tasks do, and where."""

    def test_audit(self) -> None:
        """A change is logged in its own database."""
        product = Product.objects.using(SECOND).create(name="Lamp", price=1)
        product.stock = 7
        product.save()
        drain_all()
        assert not AuditLog.objects.exists()
        log = AuditLog.objects.using(SECOND).for_object(product)
        assert [entry.action for entry in log] == ["UPDATE", "CREATE"]

    def test_counters(self) -> None:
        """An article is counted in its own database."""
        user = AuthorFactory().user
        user.save(using=SECOND)
        author = Author.objects.using(SECOND).get()
        author.articles.create(title="Moss")
        drain_all()
        counts = [Author.objects.using(alias).get().article_count for alias in BOTH]
        assert counts == [0, 1]


class TestDrain:
    """Draining."""

    def test_all(self) -> None:
        """Settles the calls of every database."""
        make_group("a", DEFAULT)
        make_group("b", SECOND)
        assert drain_all().settled == 2
        assert waiting() == {DEFAULT: 0, SECOND: 0}

    def test_one(self) -> None:
        """Or of the one that is named."""
        make_group("a", DEFAULT)
        make_group("b", SECOND)
        assert drain_all(SECOND).settled == 1
        assert waiting() == {DEFAULT: 1, SECOND: 0}

    def test_failed(self) -> None:
        """A call that fails stays in its database."""
        effects.act("b", lambda _: 1 / 0)
        effects.make_group_patiently.using(SECOND).delay_on_commit("b")
        drain_task(effects.make_group_patiently, SECOND)
        assert OutboxCall.objects.using(SECOND).get().attempts == 1
        assert waiting()[DEFAULT] == 0

    def test_leased(self) -> None:
        """So does one with outside effects, until it is done."""
        effects.send_outside.using(SECOND).delay_on_commit("b")
        assert drain_task(effects.send_outside, DEFAULT).total == 0
        assert drain_task(effects.send_outside, SECOND).settled == 1
        assert waiting()[SECOND] == 0

    def test_wake_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A wake-up names its database, and is under way for that one alone."""
        sent: list[Any] = []
        monkeypatch.setattr(wake, "publish", lambda name, using, headers: sent.append(using))
        task = effects.make_group.name
        for alias in BOTH:
            begin_turn(alias, task)
        assert [wake.send_wake_up(alias, task) for alias in [*BOTH, *BOTH]] == [
            *[True, True],
            *[False, False],
        ]
        assert sent == BOTH

    def test_woken(self) -> None:
        """The task drains the database that its wake-up names."""
        make_group("a", DEFAULT)
        make_group("b", SECOND)
        drain: Any = current_app.tasks[wake_message.DRAIN]
        report = drain.apply([effects.make_group.name, SECOND]).get()
        assert report["settled"] == 1
        assert waiting() == {DEFAULT: 1, SECOND: 0}


def test_another_database_s_transaction(caplog: pytest.LogCaptureFixture) -> None:
    """A call for a database without a transaction is warned of once, where another has one."""
    misuse_warnings._warned.clear()
    with transaction.atomic(using=SECOND):
        effects.make_group.delay_on_commit("a")
        effects.make_group.delay_on_commit("b")
    warned = [text for text in caplog.messages if "which has no transaction open" in text]
    assert len(warned) == 1
    assert f"for database '{DEFAULT}'" in warned[0]
    misuse_warnings._warned.clear()
    caplog.clear()
    effects.make_group.delay_on_commit("c")
    with transaction.atomic(using=SECOND), transaction.atomic():
        effects.make_group.delay_on_commit("d")
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


class TestOperation:
    """What looks after the outbox looks after all."""

    @pytest.fixture
    def woken(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """The databases and tasks that the sweep woke."""
        targets: list[tuple[str, str]] = []
        monkeypatch.setattr(sweep, "send_wake_up", lambda *target: targets.append(target))
        return targets

    def test_aliases(self) -> None:
        """Both have an outbox."""
        assert outbox_aliases() == BOTH

    def test_sweep(self, woken: list[tuple[str, str]], settings: Any) -> None:
        """The sweep of a worker finds what is due in each."""
        settings.OUTBOX_SWEEP_INTERVAL = 0.05
        make_group("a", DEFAULT)
        make_group("b", SECOND)
        sweeper = Sweeper()
        sweeper.start()
        task = effects.make_group.name
        try:
            wait_until(lambda: {(DEFAULT, task), (SECOND, task)} <= {*woken}, 60)
        finally:
            sweeper.stop()

    def test_status(self) -> None:
        """The status is of each."""
        make_group("b", SECOND)
        status = outbox_status()
        assert status[DEFAULT]["tasks"] == {}
        assert status[SECOND]["tasks"][effects.make_group.name]["pending"] == 1

    def test_retry(self) -> None:
        """The command retries those of the database that it is told."""
        for alias in BOTH:
            make_group("a", alias)
            OutboxCall.objects.using(alias).update(status=OutboxCall.Status.DEAD)
        call_command("outbox", "retry", everything=True, yes=True, database=SECOND)
        rows = OutboxCall.objects.filter(task=effects.make_group.name)
        statuses = [rows.using(alias).get().status for alias in BOTH]
        assert statuses == [OutboxCall.Status.DEAD, OutboxCall.Status.PENDING]


def check_outbox(outbox: Outbox) -> None:
    """The outbox of a test has the calls of both databases, and runs them."""
    with pytest.raises(RollBackError), transaction.atomic(), transaction.atomic(using=SECOND):
        make_group("undone", DEFAULT)
        make_group("undone", SECOND)
        raise RollBackError
    make_group("a", DEFAULT)
    effects.make_group.using(SECOND).apply_async_on_commit(("b",), countdown=3600)
    assert [(call.database, call.args) for call in outbox.calls] == [
        (DEFAULT, ["a"]),
        (SECOND, ["b"]),
    ]
    assert len(outbox.undone) == 2
    assert outbox.drain(later=True).done == 2
    assert waiting() == {DEFAULT: 0, SECOND: 0}
    assert effects.received == ["a", "b"]


def test_outbox(outbox: Outbox) -> None:
    """It does so where transactions are real."""
    check_outbox(outbox)


@pytest.mark.django_db(transaction=False, databases=BOTH)
def test_outbox_of_test_case(outbox: Outbox) -> None:
    """It does so in a TestCase."""
    assert connections[SECOND].in_atomic_block
    check_outbox(outbox)


@pytest.mark.django_db(transaction=False, databases=[SECOND])
def test_outbox_of_one_database(outbox: Outbox) -> None:
    """It does not look into a database that the test may not use."""
    effects.take_values.using(SECOND).delay_on_commit()
    assert outbox.drain().done == 1
