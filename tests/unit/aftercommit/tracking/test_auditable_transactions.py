"""AuditableMixin and the transaction: one for a save and its signals, and what a rollback means."""

import copy
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_delete, post_save
from django.db.transaction import TransactionManagementError

from aftercommit.db import hook
from aftercommit.models import OutboxCall
from content.models import Product
from tests.factories import ProductFactory
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.observe import Save, receiver_of, saves, statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


class RollBackError(Exception):
    """What ends a transaction in these tests."""


def fail(instance: object) -> None:
    """A receiver that fails."""
    raise RollBackError


@pytest.fixture
def seen() -> Iterator[list[Save]]:
    """What each save of a product told its receivers."""
    with saves(Product) as seen:
        yield seen


@pytest.fixture
def product() -> Any:
    """A product as the database returns it: 100 in stock, and an outbox without its creation."""
    product = Product.objects.get(pk=ProductFactory(name="Lamp").pk)
    OutboxCall.objects.all().delete()
    return product


def roll_back(*steps: Callable[[], Any]) -> None:
    """Take the steps in a transaction (or a savepoint), and roll it back."""
    with pytest.raises(RollBackError), transaction.atomic():
        for step in steps:
            step()
        raise RollBackError


def set_and_save(product: Any, **values: Any) -> None:
    """Change the fields and save."""
    for name, value in values.items():
        setattr(product, name, value)
    product.save()


class TestStatements:
    """What a save and a deletion send to the database."""

    def test_autocommit(self, product: Any) -> None:
        """One transaction: the row, its calls, COMMIT, and no SELECT."""
        loaded = Product.objects.get(pk=product.pk)
        loaded.stock = 90
        with statements() as run:
            loaded.save()
        assert run == ["BEGIN", "UPDATE content_product", "INSERT aftercommit_outboxcall", "COMMIT"]

    def test_creation(self) -> None:
        """The same for a new row."""
        with statements() as run:
            Product(name="Lamp", price=1).save()
        assert run == ["BEGIN", "INSERT content_product", "INSERT aftercommit_outboxcall", "COMMIT"]

    def test_delete(self, product: Any) -> None:
        """The same for a deletion."""
        with statements() as run:
            product.delete()
        assert run == [
            "BEGIN",
            "SELECT content_product",
            "DELETE content_product",
            "INSERT aftercommit_outboxcall",
            "COMMIT",
        ]

    def test_unchanged(self, product: Any) -> None:
        """A save that changed nothing makes no call."""
        with statements() as run:
            product.save()
        assert run == ["BEGIN", "UPDATE content_product", "COMMIT"]

    def test_transaction(self, product: Any) -> None:
        """In a transaction there is no savepoint, and one INSERT for the calls of all saves."""
        loaded = Product.objects.get(pk=product.pk)
        with statements() as run, transaction.atomic():
            set_and_save(loaded, stock=90)
            set_and_save(loaded, stock=80)
            loaded.delete()
        assert run == [
            "BEGIN",
            *["UPDATE content_product"] * 2,
            "SELECT content_product",
            "DELETE content_product",
            "INSERT aftercommit_outboxcall",
            "COMMIT",
        ]

    def test_load(self, product: Any) -> None:
        """Loading is one SELECT."""
        with statements() as run:
            list(Product.objects.all())
        assert run == ["SELECT content_product"]


class TestAtomicWithSignals:
    """A receiver that fails, in autocommit mode."""

    def test_save(self, product: Any, seen: list[Save]) -> None:
        """Takes the change back, and what other receivers did; the next save tells it again."""
        product.stock = 90
        with receiver_of(post_save, Product, fail), pytest.raises(RollBackError):
            product.save()
        assert Product.objects.get(pk=product.pk).stock == 100
        assert not OutboxCall.objects.exists()
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}] * 2

    def test_creation(self, seen: list[Save]) -> None:
        """Takes the new row back."""
        product = Product(name="Lamp", price=1)
        with receiver_of(post_save, Product, fail), pytest.raises(RollBackError):
            product.save()
        assert not Product.objects.exists()
        product.save()
        assert seen == [Save(True, {})] * 2

    def test_delete(self, product: Any) -> None:
        """Takes the deletion back."""
        with receiver_of(post_delete, Product, fail), pytest.raises(RollBackError):
            product.delete()
        assert Product.objects.exists()
        assert not OutboxCall.objects.exists()

    def test_caught_in_a_transaction(self, product: Any) -> None:
        """In a transaction it can't be caught and the row kept without its signals."""
        with transaction.atomic(), receiver_of(post_save, Product, fail):
            with pytest.raises(RollBackError):
                set_and_save(product, stock=90)
            with pytest.raises(TransactionManagementError):
                Product.objects.exists()
        assert Product.objects.get(pk=product.pk).stock == 100

    def test_calls_of_receivers(self, product: Any) -> None:
        """What a receiver hands to delay_on_commit is stored with the change."""

        def call(instance: Any) -> None:
            assert connection.in_atomic_block
            effects.make_group.delay_on_commit(instance.name)

        with receiver_of(post_save, Product, call):
            product.save()
        assert OutboxCall.objects.get().task == effects.make_group.name


class TestRollback:
    """A change that was saved and rolled back is not in the database: the next save makes it."""

    def test_transaction(self, product: Any, seen: list[Save]) -> None:
        """The next save tells it again."""
        roll_back(lambda: set_and_save(product, stock=90))
        assert product.changes() == {"stock": (100, 90)}
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}] * 2

    def test_two_saves(self, product: Any, seen: list[Save]) -> None:
        """Of several saves, all are undone."""
        roll_back(
            lambda: set_and_save(product, stock=90),
            lambda: set_and_save(product, stock=80, name="Candle"),
        )
        product.save()
        assert seen[-1].changes == {"name": ("Lamp", "Candle"), "stock": (100, 80)}

    def test_two_saves_committed(self, product: Any, seen: list[Save]) -> None:
        """Several saves that commit are told once each."""
        with transaction.atomic():
            set_and_save(product, stock=90)
            set_and_save(product, stock=80)
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}, {"stock": (90, 80)}, {}]

    def test_savepoint(self, product: Any, seen: list[Save]) -> None:
        """Of a savepoint that rolled back, only its own saves are undone."""
        with transaction.atomic():
            set_and_save(product, name="Candle")
            roll_back(lambda: set_and_save(product, stock=90))
            assert product.changes() == {"stock": (100, 90)}
            product.save()
        product.save()
        assert [save.changes for save in seen] == [
            {"name": ("Lamp", "Candle")},
            {"stock": (100, 90)},
            {"stock": (100, 90)},
            {},
        ]

    def test_released_savepoint(self, product: Any, seen: list[Save]) -> None:
        """A savepoint that was released is undone with its transaction."""

        def save_in_savepoint() -> None:
            with transaction.atomic():
                set_and_save(product, stock=90)
            assert product.changes() == {}

        roll_back(save_in_savepoint)
        product.save()
        assert seen[-1].changes == {"stock": (100, 90)}

    def test_back_to_the_old_value(self, product: Any, seen: list[Save]) -> None:
        """Set back by hand after the rollback, nothing has changed."""
        roll_back(lambda: set_and_save(product, stock=90))
        set_and_save(product, stock=100)
        assert seen[-1].changes == {}

    def test_creation(self, seen: list[Save]) -> None:
        """A new row that was rolled back is created by the next save."""
        product = Product(name="Lamp", price=1)
        roll_back(product.save)
        assert product.original("name") is None
        product.save()
        assert seen == [Save(True, {})] * 2
        assert Product.objects.get() == product

    def test_deletion(self, product: Any, seen: list[Save]) -> None:
        """A deletion that was rolled back leaves the row as it was known."""
        pk = product.pk
        roll_back(product.delete)
        product.pk, product.stock = pk, 90
        with statements() as run:
            product.save()
        assert seen == [Save(False, {"stock": (100, 90)})]
        assert "SELECT content_product" not in run

    def test_refreshed(self, product: Any, seen: list[Save]) -> None:
        """What was read inside the transaction is forgotten with it."""
        roll_back(lambda: set_and_save(product, stock=90), product.refresh_from_db)
        product.save()
        assert seen[-1].changes == {"stock": (100, 90)}

    def test_refreshed_field(self, product: Any, seen: list[Save]) -> None:
        """Also when another field was read."""
        roll_back(
            lambda: set_and_save(product, stock=90),
            lambda: product.refresh_from_db(fields=["name"]),
        )
        product.save()
        assert seen[-1].changes == {"stock": (100, 90)}

    def test_deferred(self, product: Any, seen: list[Save]) -> None:
        """Also when a deferred field was assigned after the first save."""
        product = Product.objects.defer("stock").get(pk=product.pk)
        roll_back(
            lambda: set_and_save(product, name="Candle"),
            lambda: set_and_save(product, stock=90),
        )
        product.save()
        assert seen[-1].changes == {"name": ("Lamp", "Candle"), "stock": (100, 90)}

    def test_failed_statement(self, product: Any, seen: list[Save]) -> None:
        """A save whose statement fails changed nothing."""
        product.stock, product.name = 90, None
        with pytest.raises(IntegrityError):
            product.save()
        set_and_save(product, name="Lamp")
        assert seen == [Save(False, {"stock": (100, 90)})]

    def test_failed_commit(
        self, product: Any, seen: list[Save], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor did a transaction that can't commit."""
        with monkeypatch.context() as patch, pytest.raises(RollBackError):
            patch.setattr(hook, "store_calls", lambda *_: fail(None))
            set_and_save(product, stock=90)
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}] * 2


class TestOthersWereFirst:
    """Another instance has changed or deleted the row since this one was loaded."""

    def test_overwritten(self, product: Any, seen: list[Save]) -> None:
        """A save that writes old values over newer ones says so."""
        stale = Product.objects.get()
        product.price = 2
        product.save()
        stale.stock = 5
        stale.save()
        assert seen[1].changes == {
            "price": (Decimal("2.00"), Decimal("9.99")),
            "stock": (100, 5),
        }

    def test_same_change(self, product: Any, seen: list[Save]) -> None:
        """The second to make a change makes none."""
        stale = Product.objects.get()
        for instance in (product, stale):
            instance.stock = 5
            instance.save()
        assert [save.changes for save in seen] == [{"stock": (100, 5)}, {}]

    def test_unread_values(self, product: Any, seen: list[Save]) -> None:
        """A row that was written without signals is told as it was."""
        Product.objects.update(stock=7)
        product.stock = 5
        product.save()
        assert seen[0].changes == {"stock": (7, 5)}

    def test_costs_nothing(self, product: Any) -> None:
        """Only a row that did change is read again."""
        with statements() as run:
            set_and_save(product, stock=5)
        assert run == ["BEGIN", "UPDATE content_product", "INSERT aftercommit_outboxcall", "COMMIT"]

    def test_deleted_twice(self, product: Any) -> None:
        """Who comes second deletes nothing, and tells nobody."""
        stale = Product.objects.get()
        assert product.delete()[0] == 1
        calls = OutboxCall.objects.count()
        assert stale.delete() == (0, {})
        assert OutboxCall.objects.count() == calls

    def test_saved_after_deletion(self, product: Any, seen: list[Save]) -> None:
        """A deleted row that is saved again is a new one."""
        stale = Product.objects.get()
        product.delete()
        stale.save()
        assert [save.created for save in seen] == [True]


class TestCommit:
    """What a commit settles."""

    def test_callback_that_fails(self, product: Any, seen: list[Save]) -> None:
        """A change that committed is told once, also if another on_commit callback raises."""

        def change() -> None:
            transaction.on_commit(lambda: fail(product))
            product.stock = 7
            product.save()

        with pytest.raises(RollBackError), transaction.atomic():
            change()
        assert product.changes() == {}
        with statements() as run:
            product.save()
        assert run == ["BEGIN", "UPDATE content_product", "COMMIT"]  # it read nothing again
        assert Product.objects.get().stock == 7
        assert [save.changes for save in seen] == [{"stock": (100, 7)}, {}]


COPIES = {
    "pickle": lambda product: pickle.loads(pickle.dumps(product)),  # noqa: S301  # our own
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
class TestCopy:
    """A copied or pickled instance."""

    def test_independent(self, product: Any, seen: list[Save], copied: Any) -> None:
        """Knows what the original was loaded as, and goes its own way."""
        product.stock = 90
        other = copied(product)
        assert other.changes() == {"stock": (100, 90)}
        set_and_save(other, name="Candle")
        assert product.changes() == {"stock": (100, 90)}
        assert seen == [Save(False, {"name": ("Lamp", "Candle"), "stock": (100, 90)})]

    def test_after_rollback(self, product: Any, seen: list[Save], copied: Any) -> None:
        """Knows what stands."""
        roll_back(lambda: set_and_save(product, stock=90))
        assert copied(product).changes() == {"stock": (100, 90)}

    def test_in_transaction(self, product: Any, seen: list[Save], copied: Any) -> None:
        """Made inside a transaction, it knows what was saved there."""
        with transaction.atomic():
            set_and_save(product, stock=90)
            other = copied(product)
        set_and_save(other, stock=80)
        assert seen[-1].changes == {"stock": (90, 80)}

    def test_in_receiver(self, product: Any, copied: Any) -> None:
        """Made in a receiver, it is one that isn't being saved."""
        others: list[Any] = []
        with receiver_of(post_save, Product, lambda p: others.append(copied(p))):
            set_and_save(product, stock=90)
        assert others[0].changes() == {}

    def test_new(self, seen: list[Save], copied: Any) -> None:
        """Of an instance that was never saved, it is new too."""
        other = copied(Product(name="Lamp", price=1))
        other.save()
        assert seen == [Save(True, {})]
