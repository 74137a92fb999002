"""AuditableMixin on all kinds of models, on adopted ones, and on the ways around ``save()``."""

# ruff: noqa: DJ008  # nobody reads the names of these models' objects
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.contrib.auth.models import Group, User
from django.core import serializers
from django.core.management import call_command
from django.db import connections, models, transaction
from django.db.models import F
from django.db.models.signals import post_save
from django.test.utils import isolate_apps
from pytest_django import Settings

from aftercommit.tracking.auditable import AuditableMixin, adopt
from content.models import Product
from tests.factories import ProductFactory, UserFactory
from tests.unit.aftercommit.observe import Save, saves, statements
from tests.unit.aftercommit.tables import tables

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def _isolated() -> Iterator[None]:
    """Models that the test defines are its own."""
    with isolate_apps("aftercommit"):
        yield


@pytest.fixture
def other() -> Iterator[str]:
    """A second alias, on a connection of its own to the same database."""
    connections.settings["other"] = {**connections["default"].settings_dict}
    connections["other"].connect()  # by hand: Django forbids what wasn't there at the start
    yield "other"
    connections["other"].close()
    del connections["other"], connections.settings["other"]


class TestAdopt:
    """A third-party model that was given the mixin: ``auth.User``."""

    def test_is_auditable(self) -> None:
        """Has the mixin's behaviour, and is the class that it was."""
        user = User.objects.get(pk=UserFactory(first_name="Mara").pk)
        assert isinstance(user, AuditableMixin)
        with saves(User) as seen:
            user.first_name = "Marla"
            user.save()
        assert seen == [Save(False, {"first_name": ("Mara", "Marla")})]

    def test_own_methods_win(self) -> None:
        """Keeps what the model itself does in save()."""
        user = UserFactory()
        user.set_password("new")
        user.save()
        assert user._password is None  # AbstractBaseUser.save() did that
        assert User.objects.get(pk=user.pk).check_password("new")

    def test_migrations(self) -> None:
        """Needs no migration."""
        call_command("makemigrations", "auth", check=True, dry_run=True, verbosity=0)

    def test_pickle(self) -> None:
        """Can be pickled."""
        user = UserFactory()
        user.first_name = "Marla"
        restored = pickle.loads(pickle.dumps(user))  # noqa: S301  # our own
        assert restored == user
        assert restored.changes() == {"first_name": ("", "Marla")}

    def test_idempotent(self) -> None:
        """Adopting again, or a model that has the mixin, does nothing."""
        before = User.__mro__, Product.__mro__
        adopt(User)
        adopt(Product)
        assert (User.__mro__, Product.__mro__) == before

    @pytest.mark.usefixtures("_isolated")
    def test_proxy_and_concrete(self) -> None:
        """A proxy and its model can be adopted in any order."""

        class Thing(models.Model):
            class Meta:
                app_label = "aftercommit"

        class ThingProxy(Thing):
            class Meta:
                app_label = "aftercommit"
                proxy = True

        adopt(ThingProxy)
        adopt(Thing)
        assert issubclass(Thing, AuditableMixin)
        assert issubclass(ThingProxy, AuditableMixin)


class TestFixtures:
    """``loaddata``, which saves raw."""

    def test_loaddata(self, tmp_path: Path) -> None:
        """Writes the rows, tells receivers of no change, and the next save knows the row."""
        file = tmp_path / "products.json"
        product = ProductFactory(name="Lamp")
        product.name = "Candle"
        file.write_text(
            serializers.serialize("json", [product, Product(pk=4711, name="New", price=1)])
        )
        with saves(Product) as seen:
            call_command("loaddata", str(file), verbosity=0)
        assert [save.changes for save in seen] == [{}, {}]
        assert set(Product.objects.values_list("name", flat=True)) == {"Candle", "New"}

    def test_deserialized(self) -> None:
        """An object of a fixture that was saved by hand is known by what it was saved as."""
        text = serializers.serialize("json", [Product(pk=4711, name="New", price=1)])
        (loaded,) = serializers.deserialize("json", text)
        loaded.save()
        product: Any = loaded.object
        with saves(Product) as seen, statements() as run:
            product.stock = 90
            assert product.changes() == {"stock": (0, 90)}
            product.save()
        assert seen == [Save(False, {"stock": (0, 90)})]
        assert "SELECT content_product" not in run


class TestBulk:
    """The operations of a queryset, which send no signals."""

    def test_bulk_create(self) -> None:
        """The next save reads once what is there."""
        product = Product(name="Lamp", price=1)
        Product.objects.bulk_create([product])
        product.stock = 90
        with saves(Product) as seen:
            product.save()
            product.save()
        assert [save.changes for save in seen] == [{"stock": (0, 90)}, {}]

    def test_bulk_update(self) -> None:
        """Writes, and the next save goes on."""
        product = ProductFactory()
        product.stock = 90
        Product.objects.bulk_update([product], ["stock"])
        product.name = "Candle"
        product.save()
        assert Product.objects.filter(stock=90, name="Candle").exists()

    def test_update_or_create(self) -> None:
        """Saves, so that it tells the change."""
        product = ProductFactory(name="Lamp")
        with saves(Product) as seen:
            Product.objects.update_or_create(pk=product.pk, defaults={"stock": 90})
        assert seen == [Save(False, {"stock": (100, 90)})]

    def test_related_loading(self) -> None:
        """What select_related loaded is known too, and costs nothing more."""
        author = UserFactory().author
        loaded = type(author).objects.select_related("user").get(pk=author.pk).user
        loaded.first_name = "Marla"
        with statements() as run:
            assert loaded.changes() == {"first_name": ("", "Marla")}
        assert run == []


class TestDatabases:
    """A database other than the default one."""

    def test_using(self, other: str) -> None:
        """``using=`` saves, deletes and stores calls there, in a transaction there."""
        product = ProductFactory()
        with statements() as default, statements(other) as there:
            product.save(using=other)
            product.delete(using=other)
        assert default == []
        assert there == [
            "BEGIN", "UPDATE content_product", "COMMIT",
            "BEGIN", "SELECT content_product", "DELETE content_product",
            "INSERT aftercommit_outboxcall", "COMMIT",
        ]  # fmt: skip

    def test_unknown_values(self, other: str) -> None:
        """What a save has to read, it reads there."""
        pk = ProductFactory(name="Lamp").pk
        with saves(Product) as seen, statements() as default:
            Product(pk=pk, name="Lamp", price="9.99", stock=F("stock") - 1).save(using=other)
        assert seen == [Save(False, {"stock": (100, 99)})]
        assert default == []

    def test_rollback(self, other: str) -> None:
        """A rollback there is told again by the next save."""
        product = ProductFactory()
        product.stock = 90
        with transaction.atomic(using=other):
            product.save(using=other)
            transaction.set_rollback(True, using=other)
        assert product.changes() == {"stock": (100, 90)}

    def test_router(self, other: str, settings: Settings) -> None:
        """Without ``using`` the router says where."""

        class Router:
            def db_for_write(self, model: Any, **hints: Any) -> str:
                return other

        product = ProductFactory()
        settings.DATABASE_ROUTERS = [Router()]
        product.stock = 90
        with saves(Product) as seen, statements() as default, statements(other) as there:
            product.save()
        assert seen == [Save(False, {"stock": (100, 90)})]
        assert default == []
        assert there == [
            "BEGIN",
            "UPDATE content_product",
            "INSERT aftercommit_outboxcall",
            "COMMIT",
        ]


class TestProxy:
    """A proxy of an auditable model."""

    @pytest.mark.usefixtures("_isolated")
    def test_changes(self) -> None:
        """Tells its changes as its model does."""

        class ProductProxy(Product):
            class Meta:
                app_label = "aftercommit"
                proxy = True

        proxy = ProductProxy.objects.get(pk=ProductFactory().pk)
        proxy.stock = 90
        with saves(ProductProxy) as seen:
            proxy.save()
            proxy.save()
        assert [save.changes for save in seen] == [{"stock": (100, 90)}, {}]


class TestInheritance:
    """A model whose row is in two tables."""

    @pytest.fixture
    def lamp(self, _isolated: None) -> Iterator[Any]:
        """One such object, as the database returns it."""

        class Thing(AuditableMixin, models.Model):
            name = models.CharField(max_length=10)

            class Meta:
                app_label = "aftercommit"

        class Lamp(Thing):
            watts = models.IntegerField()

            class Meta:
                app_label = "aftercommit"

        with tables(Thing, Lamp):
            Lamp._default_manager.create(name="Lamp", watts=40)
            yield Lamp._default_manager.get()

    def test_changes(self, lamp: Any) -> None:
        """The changes of both tables are told together, without a SELECT."""
        lamp.name, lamp.watts = "Candle", 4
        with saves(type(lamp)) as seen, statements() as run:
            lamp.save()
            lamp.save()
        assert seen == [
            Save(False, {"name": ("Lamp", "Candle"), "watts": (40, 4)}),
            Save(False, {}),
        ]
        assert not [statement for statement in run if "SELECT" in statement]

    def test_creation(self, lamp: Any) -> None:
        """A new object is one creation."""
        with saves(type(lamp)) as seen:
            type(lamp)(name="Torch", watts=3).save()
        assert seen == [Save(True, {})]

    def test_deferred(self, lamp: Any) -> None:
        """The old value of a deferred field of the parent is read before it is overwritten."""
        lamp = type(lamp).objects.only("watts").get()
        lamp.name = "Candle"
        with saves(type(lamp)) as seen:
            lamp.save()
        assert seen == [Save(False, {"name": ("Lamp", "Candle")})]

    def test_expression(self, lamp: Any) -> None:
        """An expression in either table is told as its value."""
        lamp.name, lamp.watts = models.functions.Upper("name"), F("watts") + 1
        with saves(type(lamp)) as seen:
            lamp.save()
        assert seen == [Save(False, {"name": ("Lamp", "LAMP"), "watts": (40, 41)})]


@pytest.mark.usefixtures("_isolated")
class TestFields:
    """Kinds of fields and keys."""

    def test_json(self) -> None:
        """A value that was changed in place is a change, from the old value to the new."""

        class Basket(AuditableMixin, models.Model):
            items = models.JSONField(default=list)

            class Meta:
                app_label = "aftercommit"

        with tables(Basket), saves(Basket) as seen:
            basket = Basket._default_manager.create(items=["tea"])
            basket.items.append("milk")
            basket.save()
            basket = Basket._default_manager.get()
            basket.items.append("bread")
            basket.save()
            basket.save()
        assert [save.changes for save in seen] == [
            {},
            {"items": (["tea"], ["tea", "milk"])},
            {"items": (["tea", "milk"], ["tea", "milk", "bread"])},
            {},
        ]

    @pytest.mark.parametrize("comparable", [True, False])
    def test_column_with_something_else(self, comparable: bool) -> None:
        """A save of a field that encrypts costs one statement, also if it refuses lookups."""

        class Sealed(models.TextField):
            def get_prep_value(self, value: Any) -> Any:
                return f"{uuid.uuid4()}{value}"  # another text each time

            def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
                return value[36:]

            def get_lookup(self, lookup_name: str) -> Any:
                return super().get_lookup(lookup_name) if comparable else None

        class Safe(AuditableMixin, models.Model):
            content = Sealed()

            class Meta:
                app_label = "aftercommit"

        with tables(Safe), saves(Safe) as seen:
            Safe._default_manager.create(content="gold")
            safe = Safe._default_manager.get()
            safe.content = "silver"
            with statements() as run:
                safe.save()
        assert run == ["BEGIN", "UPDATE aftercommit_safe", "COMMIT"]
        assert seen == [Save(True, {}), Save(False, {"content": ("gold", "silver")})]

    def test_key_with_default(self) -> None:
        """A new row whose key is made in Python costs no SELECT."""

        class Token(AuditableMixin, models.Model):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            name = models.CharField(max_length=10)

            class Meta:
                app_label = "aftercommit"

        with tables(Token), saves(Token) as seen:
            with statements() as run:
                token = Token(name="old")
                token.save()
            Token(pk=token.pk, name="new").save(force_update=True)
        assert run == ["BEGIN", "INSERT aftercommit_token", "COMMIT"]
        assert seen == [Save(True, {}), Save(False, {"name": ("old", "new")})]

    @pytest.mark.skipif(django.VERSION < (5, 2), reason="Django has them since 5.2")
    def test_composite_key(self) -> None:
        """A key of several fields says which row it is."""

        class Place(AuditableMixin, models.Model):
            pk = models.CompositePrimaryKey("row", "seat")
            row = models.IntegerField()
            seat = models.IntegerField()
            name = models.CharField(max_length=10)

            class Meta:
                app_label = "aftercommit"

        with tables(Place), saves(Place) as seen:
            Place._default_manager.create(row=1, seat=2, name="Ann")
            place = Place._default_manager.get()
            place.name = "Bo"
            place.save()
            Place(row=1, seat=2, name="Cy").save()
        assert [save.changes for save in seen] == [
            {}, {"name": ("Ann", "Bo")}, {"name": ("Bo", "Cy")},
        ]  # fmt: skip

    def test_generated(self) -> None:
        """A column that the database computes is no change of the save."""

        class Box(AuditableMixin, models.Model):
            side = models.IntegerField()
            area = models.GeneratedField(
                expression=F("side") * F("side"),
                output_field=models.IntegerField(),
                db_persist=True,
            )

            class Meta:
                app_label = "aftercommit"

        with tables(Box), saves(Box) as seen:
            box = Box._default_manager.get(pk=Box._default_manager.create(side=2).pk)
            box.side = 3
            box.save()
        assert seen[1] == Save(False, {"side": (2, 3)})


def test_plain_models_stay() -> None:
    """A model without the mixin is as it was."""
    assert not issubclass(Group, AuditableMixin)
    with statements() as run:
        Group.objects.create(name="plain")
    assert run == ["INSERT auth_group"]
    assert not post_save.has_listeners(Group)
