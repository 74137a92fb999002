"""Which changes are logged, and what the log says of them."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.serializers import serialize
from django.db import connection, transaction
from django.db.models import F, Model, Value
from django.db.models.functions import Upper
from django.utils import timezone

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content.models import Article, Author, Comment, Product, Profile
from tests.factories import (
    ArticleFactory,
    AuthorFactory,
    CategoryFactory,
    CommentFactory,
    ProductFactory,
    UserFactory,
)
from tests.unit.audit.proxies import connected_proxy

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Last = Callable[[Model], AuditLog]
Logged = Callable[[Model], list[AuditLog]]


def kinds(logs: list[AuditLog]) -> list[str]:
    """The actions, newest first."""
    return [log.action for log in logs]


class TestSaved:
    def test_update_shows_only_what_changed(self, last: Last) -> None:
        """An update names the changed fields, with the old and the new value."""
        product = ProductFactory.create(name="Widget", stock=100, price="9.99")
        product.stock, product.is_active = 99, False
        product.save()
        assert last(product).changes == {
            "stock": {"old": "100", "new": "99"},
            "is_active": {"old": "True", "new": "False"},
        }

    def test_save_without_a_change_writes_nothing(self, logged: Logged) -> None:
        """Neither an equal value nor one that is stored as an equal one is a change."""
        product: Any = ProductFactory.create(price=9.99)
        product.save()
        product.price = Decimal("9.990")
        product.save()
        loaded: Any = Product.objects.get(pk=product.pk)
        for price in ("9.99", "9.991"):  # the database has two places
            loaded.price, loaded.stock = price, "100"
            loaded.save()
        assert OutboxCall.objects.filter(task="audit.tasks.write_audit_logs").count() == 1
        assert kinds(logged(product)) == ["CREATE"]

    def test_update_fields_limits_what_is_logged(self, last: Last) -> None:
        """A field that was set but not written is not logged; when it is written, it is."""
        product = ProductFactory.create(name="Widget", stock=100)
        product.name, product.stock = "Gadget", 99
        product.save(update_fields=["stock"])
        assert last(product).changes == {"stock": {"old": "100", "new": "99"}}
        product.save()
        assert last(product).changes == {"name": {"old": "Widget", "new": "Gadget"}}

    def test_foreign_key_is_logged_by_its_id(self, last: Last) -> None:
        """A moved article shows the keys under the field's name, None as null."""
        first, second = AuthorFactory.create(), AuthorFactory.create()
        category = CategoryFactory.create()
        article = ArticleFactory.create(author=first)
        article.author, article.category = second, category
        article.save()
        assert last(article).changes == {
            "author": {"old": str(first.pk), "new": str(second.pk)},
            "category": {"old": None, "new": str(category.pk)},
        }

    def test_expressions_are_logged_by_their_results(self, last: Last) -> None:
        """F() and functions show what the database made of them, also in a creation."""
        for name in ("ABACUS", "zither"):  # whose values are not to be taken for these
            ProductFactory.create(name=name, stock=70)
        product: Any = Product(name=Upper(Value("widget")), price=1, stock=5)
        product.save()
        assert last(product).changes["values"]["name"] == "WIDGET"
        product = Product.objects.get(pk=product.pk)
        product.stock = F("stock") - 2
        product.save()
        assert last(product).changes == {"stock": {"old": "5", "new": "3"}}

    def test_deferred_fields_are_left_alone(self, last: Last) -> None:
        """A save of an instance with deferred fields logs the loaded ones, for no more queries."""
        pk = ProductFactory.create(name="Widget", stock=100).pk
        product = Product.objects.only("name").get(pk=pk)
        product.name = "Gadget"
        product.save()
        assert last(product).changes == {"name": {"old": "Widget", "new": "Gadget"}}

    def test_excluded_fields_never_appear(self, logged: Logged) -> None:
        """No entry has the last login, whatever was done."""
        user = UserFactory.create()
        user.last_login = timezone.now()
        user.save()
        user.email = "new@example.com"
        user.save()
        pk = user.pk
        user.delete()
        user.pk = pk
        shown = [set(log.named_changes()) for log in logged(user)]
        assert len(shown) == 3
        assert all("last_login" not in names for names in shown)
        assert shown[1] == {"email"}

    def test_proxies_are_logged_as_their_model(self, logged: Logged) -> None:
        """A change through a proxy class is a change of the object."""
        product = ProductFactory.create()
        with connected_proxy(Product) as proxy:
            same = proxy.objects.get(pk=product.pk)
            same.stock = 1
            same.save()
            assert kinds(logged(same)) == kinds(logged(product)) == ["UPDATE", "CREATE"]

    def test_fixtures_are_not_logged(self, logged: Logged, tmp_path: Any) -> None:
        """``loaddata`` restores what was; that is no change."""
        product = Product(pk=4711, name="Widget", price="1.00")
        path = tmp_path / "fixture.json"
        path.write_text(serialize("json", [product]))
        call_command("loaddata", path, stdout=StringIO())
        assert Product.objects.filter(pk=4711).exists()
        assert logged(product) == []

    def test_request_pays_no_query_for_the_log(self) -> None:
        """An audited save asks for nothing: only its UPDATE, and the call's INSERT at COMMIT."""
        author = Author.objects.get(pk=AuthorFactory.create().pk)
        author.bio = "Changed."
        ran = []

        def note(execute: Any, sql: str, *args: Any) -> Any:
            result = execute(sql, *args)
            ran.append(sql.split()[0])
            return result

        with connection.execute_wrapper(note):
            author.save()
        assert [word for word in ran if word != "BEGIN"] == ["UPDATE", "INSERT"]


class TestTransactions:
    def test_rolled_back_change_writes_nothing(self, logged: Logged) -> None:
        """What didn't happen isn't in the log."""
        product = ProductFactory.create(stock=100)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            product.stock = 99
            product.save()
            raise ZeroDivisionError
        assert kinds(logged(product)) == ["CREATE"]

    def test_rolled_back_savepoint_leaves_the_rest(self, logged: Logged) -> None:
        """Only the part that was rolled back is missing."""
        product = ProductFactory.create(name="Widget", stock=100)
        with transaction.atomic():
            product.stock = 99
            product.save()
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                product.name = "Gadget"
                product.save()
                raise ZeroDivisionError
        assert [log.changes for log in logged(product)[:-1]] == [
            {"stock": {"old": "100", "new": "99"}}
        ]

    def test_changes_of_one_transaction_keep_their_order(self, logged: Logged) -> None:
        """They have one timestamp, and are newest first all the same."""
        product = ProductFactory.create(stock=0)
        with transaction.atomic():
            for stock in (1, 2, 3):
                product.stock = stock
                product.save()
        logs = logged(product)[:3]
        assert [log.changes["stock"]["new"] for log in logs] == ["3", "2", "1"]
        assert len({log.timestamp for log in logs}) == 1

    def test_timestamp_is_that_of_the_change(self, last: Last) -> None:
        """The time is that of the commit, however much later the entry is written."""
        product = ProductFactory.create()
        stored = OutboxCall.objects.filter(task="audit.tasks.write_audit_logs").get()
        assert last(product).timestamp == stored.created_at


class TestDeleted:
    def test_deletion_keeps_the_values(self, logged: Logged) -> None:
        """The entry of a deletion has every value that the object had, and its id."""
        product = ProductFactory.create(name="Widget", stock=100, price="9.99")
        pk = product.pk
        product.delete()
        product.pk = pk
        assert logged(product)[0].changes == {
            "deleted_values": {
                "id": str(pk),
                "name": "Widget",
                "price": "9.99",
                "stock": "100",
                "is_active": "True",
            }
        }

    def test_deferred_fields_are_in_it(self, logged: Logged) -> None:
        """Deleting an instance that was loaded in part logs it whole."""
        whole = ProductFactory.create(name="Widget", stock=100)
        Product.objects.only("pk").get(pk=whole.pk).delete()
        values = logged(whole)[0].changes["deleted_values"]
        assert (values["name"], values["stock"]) == ("Widget", "100")

    def test_cascades_are_logged_each(self) -> None:
        """Deleting a user logs the profile, author, articles and comments that go with it."""
        author = AuthorFactory.create()
        article = ArticleFactory.create(author=author, published=True)
        comments = [CommentFactory.create(article=article) for _ in range(2)]
        gone = {
            (model._meta.label_lower, str(pk))
            for model, pk in (
                (User, author.user.pk),
                (Profile, author.user.profile.pk),
                (Author, author.pk),
                (Article, article.pk),
                *((Comment, comment.pk) for comment in comments),
            )
        }
        author.user.delete()
        drain_all()
        deleted = AuditLog.objects.filter(action="DELETE")
        assert set(deleted.values_list("model_label", "object_id")) == gone

    def test_queryset_deletion_is_logged_each(self) -> None:
        """So does ``queryset.delete()``."""
        ProductFactory.create_batch(3)
        Product.objects.all().delete()
        drain_all()
        assert AuditLog.objects.filter(action="DELETE").count() == 3
