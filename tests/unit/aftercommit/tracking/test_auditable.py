"""What a save is known to have changed: AuditableMixin, outside of any trouble."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F, Value
from django.db.models.functions import Upper
from django.db.models.signals import post_delete, post_save, pre_save
from pytest_django import DjangoAssertNumQueries, Settings

from content.models import Article, Product, Profile
from content.pictures import Picture
from tests.factories import ArticleFactory, CategoryFactory, ProductFactory, UserFactory
from tests.unit.aftercommit.observe import Save, receiver_of, saves, statements

pytestmark = pytest.mark.django_db


@pytest.fixture
def seen() -> Iterator[list[Save]]:
    """What each save of a product told its receivers."""
    with saves(Product) as seen:
        yield seen


@pytest.fixture
def product() -> Any:
    """A product as the database returns it: 100 in stock at 9.99."""
    return Product.objects.get(pk=ProductFactory(name="Lamp").pk)


class TestChanges:
    """What ``changes()`` is, in a receiver of post_save."""

    def test_update(self, product: Any, seen: list[Save]) -> None:
        """Each changed field with its old and its new value, and no other field."""
        product.name, product.stock = "Candle", 90
        product.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle"), "stock": (100, 90)})]

    def test_unchanged(self, product: Any, seen: list[Save]) -> None:
        """Empty for a save that changes nothing."""
        product.save()
        assert seen == [Save(False, {})]

    def test_second_save(self, product: Any, seen: list[Save]) -> None:
        """The next save is compared with the last one."""
        product.stock = 90
        product.save()
        product.save()
        product.stock = 80
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}, {}, {"stock": (90, 80)}]

    def test_creation(self, seen: list[Save]) -> None:
        """Empty for a new row."""
        Product.objects.create(name="Lamp", price="9.99")
        Product(name="Lamp", price="9.99").save()
        assert seen == [Save(True, {}), Save(True, {})]

    def test_update_after_creation(self, seen: list[Save]) -> None:
        """An instance that was created is compared with what was inserted."""
        product = Product.objects.create(name="Lamp", price="9.99")
        product.stock = 5
        product.save()
        assert seen[1] == Save(False, {"stock": (0, 5)})

    @pytest.mark.parametrize("price", ["9.99", 9.99, Decimal("9.990")])
    def test_same_value_of_another_type(self, product: Any, seen: list[Save], price: Any) -> None:
        """A value that the database holds already is no change, whatever its type."""
        product.price = price
        product.save()
        product.save()
        assert [save.changes for save in seen] == [{}, {}]

    @pytest.mark.parametrize("price", ["9.99", 9.99])
    def test_other_type_at_creation(self, seen: list[Save], price: Any) -> None:
        """Nor is a value that was created as a string or a float."""
        product = Product.objects.create(name="Lamp", price=price)
        product.save()
        assert seen[1] == Save(False, {})

    def test_other_type(self, product: Any, seen: list[Save]) -> None:
        """A new value is told as the database returns it."""
        product.price = 12.5
        product.save()
        (old, new) = seen[0].changes["price"]
        assert (old, new, type(new)) == (Decimal("9.99"), Decimal("12.5"), Decimal)

    def test_expression(self, product: Any, seen: list[Save]) -> None:
        """An expression is told as what the database made of it, also by the next save."""
        product.stock = F("stock") - 1
        product.save()
        product.refresh_from_db()
        product.stock = 50
        product.save()
        assert [save.changes for save in seen] == [{"stock": (100, 99)}, {"stock": (99, 50)}]

    def test_expression_saved_twice(self, product: Any, seen: list[Save]) -> None:
        """What the next save of the same expression does to the row is what it tells."""
        product.stock = F("stock") - 1
        product.save()
        product.save()
        stock = Product.objects.get(pk=product.pk).stock  # Django 5 applies it a second time
        assert [save.changes for save in seen] == [
            {"stock": (100, 99)},
            {"stock": (99, stock)} if stock != 99 else {},
        ]

    def test_expression_at_creation(self, seen: list[Save]) -> None:
        """A new row is known by what the database made of an expression."""
        shout: Any = Upper(Value("lamp"))
        product = Product.objects.create(name=shout, price="9.99")
        product.name = "Candle"
        product.save()
        assert seen[1] == Save(False, {"name": ("LAMP", "Candle")})

    def test_foreign_key(self) -> None:
        """A foreign key goes by its field's name and its raw value."""
        old, new = CategoryFactory(), CategoryFactory()
        article = Article.objects.get(pk=ArticleFactory(category=old).pk)
        with saves(Article) as seen:
            article.category = new
            article.save()
            article.category_id = old.pk
            article.save(update_fields=["category_id"])
        assert seen[0].changes["category"] == (old.pk, new.pk)
        assert seen[1].changes["category"] == (new.pk, old.pk)

    def test_counter(self) -> None:
        """A counter is no change of the save: tasks move it."""
        article = ArticleFactory()
        article.view_count = 1000
        with saves(Article) as seen:
            article.save()
        assert set(seen[0].changes) == {"updated_at"}

    def test_changed_by_pre_save(self, product: Any, seen: list[Save]) -> None:
        """What a receiver of pre_save changes belongs to the save."""
        with receiver_of(pre_save, Product, lambda p: setattr(p, "name", p.name.upper())):
            product.save()
        assert seen == [Save(False, {"name": ("Lamp", "LAMP")})]

    def test_file(self, settings: Settings, tmp_path: Path) -> None:
        """A file goes by the name that it is stored under; none is an empty name."""
        settings.MEDIA_ROOT = tmp_path
        profile = Profile.objects.get(pk=UserFactory().profile.pk)
        with saves(Profile) as seen:
            profile.save()
            profile.avatar = Picture(b"a picture", name="me.png")
            profile.save()
            profile.save()
            profile.avatar = None
            profile.save()
        stored = "avatars/me.png"
        assert [save.changes for save in seen] == [
            {}, {"avatar": ("", stored)}, {}, {"avatar": (stored, "")},
        ]  # fmt: skip


class TestUpdateFields:
    """``save(update_fields=...)``."""

    def test_others_stay(self, product: Any, seen: list[Save]) -> None:
        """Tells what it writes; the next save tells the rest."""
        product.name, product.stock = "Candle", 90
        product.save(update_fields=["stock"])
        product.save()
        assert [save.changes for save in seen] == [
            {"stock": (100, 90)},
            {"name": ("Lamp", "Candle")},
        ]

    def test_expression(self, product: Any, seen: list[Save]) -> None:
        """An expression in another field is left alone."""
        product.stock, product.name = F("stock") - 1, "Candle"
        product.save(update_fields=["name"])
        product.save(update_fields=["stock"])
        assert seen[1] == Save(False, {"stock": (100, 99)})

    def test_empty(self, product: Any, seen: list[Save]) -> None:
        """Nothing is saved and nothing told; the change remains to be saved."""
        product.stock = 90
        product.save(update_fields=[])
        assert seen == []
        assert product.changes() == {"stock": (100, 90)}


class TestDeferred:
    """Fields that ``only()`` or ``defer()`` left out."""

    def test_unassigned(self, product: Any, seen: list[Save]) -> None:
        """Are neither loaded nor told."""
        product = Product.objects.only("name").get(pk=product.pk)
        product.name = "Candle"
        with statements() as run:
            product.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle")})]
        assert run == ["UPDATE content_product"]

    def test_assigned(self, product: Any, seen: list[Save]) -> None:
        """Cost one SELECT when they were assigned, however many: the old values are told."""
        product = Product.objects.defer("stock", "price").get(pk=product.pk)
        product.stock, product.price = 90, 5
        with statements() as run:
            product.save()
            product.save()
        assert seen[0].changes == {"stock": (100, 90), "price": (Decimal("9.99"), Decimal(5))}
        assert seen[1].changes == {}
        assert run == ["SELECT content_product", *["UPDATE content_product"] * 2]

    def test_read(self, product: Any, seen: list[Save]) -> None:
        """Are known from then on, and keep what was changed before."""
        product = Product.objects.only("name").get(pk=product.pk)
        product.name = "Candle"
        assert product.stock == 100
        product.stock = 90
        with statements() as run:
            product.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle"), "stock": (100, 90)})]
        assert run == ["UPDATE content_product"]

    def test_original(self, product: Any) -> None:
        """Have no original value until they are read, and asking for it reads nothing."""
        product = Product.objects.only("name").get(pk=product.pk)
        with statements() as run:
            assert product.original("stock") is None
        assert run == []
        assert product.stock == product.original("stock")


class TestRefresh:
    """``refresh_from_db()``."""

    def test_all(self, product: Any, seen: list[Save]) -> None:
        """Forgets the changes, and learns those of others."""
        Product.objects.filter(pk=product.pk).update(stock=70)
        product.name = "Candle"
        product.refresh_from_db()
        product.stock = 60
        product.save()
        assert seen == [Save(False, {"stock": (70, 60)})]

    def test_some_fields(self, product: Any, seen: list[Save]) -> None:
        """Leaves the changes of the other fields."""
        product.name, product.stock = "Candle", 90
        product.refresh_from_db(fields=["stock"])
        product.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle")})]

    def test_queryset(self, product: Any, seen: list[Save]) -> None:
        """Reads through the queryset that it is given."""
        product.name = "Candle"
        product.refresh_from_db(from_queryset=Product.objects.filter(stock=100))
        assert product.name == "Lamp"
        assert product.changes() == {}

    def test_cost(self, product: Any, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        """Costs one query, as ever."""
        with django_assert_num_queries(1):
            product.refresh_from_db()


class TestBeforeSave:
    """``changes()`` and ``original()`` outside a save."""

    def test_changes(self, product: Any) -> None:
        """Are what a save would change."""
        product.stock, product.name = 90, "Lamp"
        assert product.changes() == {"stock": (100, 90)}
        assert product.original("stock") == 100

    def test_after_save(self, product: Any) -> None:
        """Are nothing once it is saved, and the saved value."""
        product.stock = 90
        product.save()
        assert product.changes() == {}
        assert product.original("stock") == 90

    def test_new(self) -> None:
        """Are nothing for an instance that was never saved."""
        product = Product(name="Lamp")
        assert product.changes() == {}
        assert product.original("name") is None

    def test_original_in_receiver(self, product: Any) -> None:
        """The original in a receiver is the value before the save, and of a new row None."""
        originals: list[Any] = []
        with receiver_of(post_save, Product, lambda p: originals.append(p.original("stock"))):
            product.stock = 90
            product.save()
            Product.objects.create(name="New", price=1)
        assert originals == [100, None]

    def test_in_pre_save(self, product: Any) -> None:
        """A receiver of pre_save sees what the save is about to change."""
        changes: list[Any] = []
        with receiver_of(pre_save, Product, lambda p: changes.append(p.changes())):
            product.stock = 90
            product.save()
        assert changes == [{"stock": (100, 90)}]

    def test_in_post_delete(self, product: Any) -> None:
        """A receiver of post_delete still sees the values of the row that is gone."""
        originals: list[Any] = []
        with receiver_of(post_delete, Product, lambda p: originals.append(p.original("stock"))):
            product.delete()
        assert originals == [100]


class TestNestedSave:
    """A receiver of post_save that saves the instance again."""

    def test_each_tells_its_own(self, product: Any, seen: list[Save]) -> None:
        """No change is told twice, and the outer save's receivers go on seeing its changes."""
        outer: list[Any] = []

        def rename(instance: Any) -> None:
            if instance.name != "Candle":
                instance.name = "Candle"
                instance.save()
                outer.append(instance.changes())

        product.stock = 90
        with receiver_of(post_save, Product, rename):
            product.save()
        assert [save.changes for save in seen] == [
            {"stock": (100, 90)},
            {"name": ("Lamp", "Candle")},
        ]
        assert outer == [{"stock": (100, 90)}]
        assert product.changes() == {}

    def test_pre_save(self, product: Any) -> None:
        """A receiver of pre_save sees the nested save's changes, not the outer one's."""
        before: list[Any] = []

        def rename(instance: Any) -> None:
            if instance.name != "Candle":
                instance.name = "Candle"
                instance.save()

        product.stock = 90
        with (
            receiver_of(pre_save, Product, lambda p: before.append(p.changes())),
            receiver_of(post_save, Product, rename),
        ):
            product.save()
        assert before == [{"stock": (100, 90)}, {"name": ("Lamp", "Candle")}]


class TestOtherRow:
    """An instance that wasn't loaded as the row that it is saved as."""

    def test_built_by_hand(self, product: Any, seen: list[Save]) -> None:
        """Costs one SELECT, and is compared with the row that is there."""
        built = Product(pk=product.pk, name="Candle", price="9.99", stock=100)
        with statements() as run:
            built.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle")})]
        assert run == ["SELECT content_product", "UPDATE content_product"]

    def test_built_by_hand_and_new(self, seen: list[Save]) -> None:
        """Is a creation if there is no such row."""
        Product(pk=4711, name="Candle", price=1).save()
        assert seen == [Save(True, {})]

    def test_partial(self, product: Any, seen: list[Save]) -> None:
        """Only what is written is read."""
        Product(pk=product.pk, stock=90).save(update_fields=["stock"])
        assert seen == [Save(False, {"stock": (100, 90)})]

    def test_clone(self, product: Any, seen: list[Save]) -> None:
        """Without its key it is a new row, also to a receiver of pre_save."""
        before: list[Any] = []
        product.pk, product.name = None, "Candle"
        with receiver_of(pre_save, Product, lambda p: before.append(p.changes())):
            product.save()
        assert before == [{}]
        assert seen == [Save(True, {})]

    def test_other_key(self, product: Any, seen: list[Save]) -> None:
        """With another row's key it is compared with that row."""
        other = ProductFactory(name="Chair", stock=3)
        product.pk = other.pk
        product.save()
        assert seen[-1] == Save(False, {"name": ("Chair", "Lamp"), "stock": (3, 100)})

    def test_gone(self, product: Any, seen: list[Save]) -> None:
        """Saved after somebody else deleted its row, it is a new row."""
        Product.objects.filter(pk=product.pk).delete()
        product.stock = 90
        product.save()
        assert seen == [Save(True, {})]

    def test_saved_after_delete(self, product: Any, seen: list[Save]) -> None:
        """Saved again after its deletion, it is a new row."""
        product.delete()
        product.stock = 90
        assert product.changes() == {}
        product.save()
        assert seen == [Save(True, {})]


class TestCurrentUser:
    """Who is changing the instance."""

    def test_default(self, product: Any) -> None:
        """Nobody in particular."""
        assert product.current_user is None

    def test_set(self, product: Any) -> None:
        """The user that was named, until another is, of this instance only."""
        first, second = UserFactory(), UserFactory()
        product.set_current_user(first)
        product.save()
        assert product.current_user == first
        assert Product.objects.get(pk=product.pk).current_user is None
        product.set_current_user(second)
        assert product.current_user == second
