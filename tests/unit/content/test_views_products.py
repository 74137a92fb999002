"""The pages of products."""

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from content.models import Product
from tests.factories import ProductFactory, UserFactory, user_with

pytestmark = pytest.mark.django_db

URL = reverse("product-list")
DATA = {"name": "Widget", "price": "14.99", "stock": "3", "is_active": "on"}


def addresses(product: Product) -> list[str]:
    """The pages that change products."""
    return [
        reverse("product-create"),
        reverse("product-edit", args=[product.pk]),
        reverse("product-delete", args=[product.pk]),
    ]


class TestProductList:
    """What is for sale."""

    def test_success(self, client: Client) -> None:
        """Everybody sees it, and nobody is offered changes."""
        ProductFactory(name="Widget", stock=0)
        ProductFactory(name="Gadget", is_active=False)
        page = client.get(URL)
        assertContains(page, "Widget")
        assertContains(page, "Sold out")
        assertNotContains(page, "Gadget")
        assertNotContains(page, "Edit")

    @pytest.mark.parametrize("codename", ["view_product", "change_product", "delete_product"])
    def test_permission(self, client: Client, codename: str) -> None:
        """Who has a permission sees what isn't for sale, and is offered what it allows."""
        ProductFactory(name="Gadget", is_active=False)
        client.force_login(user_with(codename))
        page = client.get(URL)
        assertContains(page, "Gadget")
        offered = {
            action for action in ("edit", "delete") if f"/{action}/" in page.content.decode()
        }
        assert offered == {"change_product": {"edit"}, "delete_product": {"delete"}}.get(
            codename, set()
        )

    def test_staff(self, client: Client) -> None:
        """Staff without a permission sees what everybody sees."""
        ProductFactory(name="Gadget", is_active=False)
        client.force_login(UserFactory(is_staff=True))
        assertContains(client.get(URL), "Nothing is for sale yet.")

    def test_empty(self, client: Client) -> None:
        """Says that there is nothing."""
        assertContains(client.get(URL), "Nothing is for sale yet.")

    def test_no_query_a_product(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The number and the products."""
        ProductFactory.create_batch(5)
        with django_assert_num_queries(2):
            client.get(URL)


class TestProductChange:
    """Creating, changing, deleting."""

    def test_create(self, admin_client: Client) -> None:
        """A new product is for sale."""
        assertRedirects(admin_client.post(reverse("product-create"), DATA), URL)
        assert Product.objects.get().price == Decimal("14.99")

    def test_edit(self, admin_client: Client) -> None:
        """The form shows what is, and saves what shall be."""
        product = ProductFactory(name="Gadget")
        url = reverse("product-edit", args=[product.pk])
        assertContains(admin_client.get(url), "Gadget")
        assertRedirects(admin_client.post(url, DATA), URL)
        product.refresh_from_db()
        assert (product.name, product.stock) == ("Widget", 3)

    def test_delete(self, admin_client: Client) -> None:
        """After it was asked."""
        url = reverse("product-delete", args=[ProductFactory().pk])
        assertContains(admin_client.get(url), "be undone")
        assertRedirects(admin_client.post(url), URL)
        assert not Product.objects.exists()

    def test_fail_invalid(self, admin_client: Client) -> None:
        """The form says what is wrong."""
        page = admin_client.post(reverse("product-create"), DATA | {"price": "-1"})
        assertContains(page, "A price can&#x27;t be below 0.")
        assert not Product.objects.exists()

    def test_fail_staff(self, client: Client) -> None:
        """Staff without a permission may not."""
        client.force_login(UserFactory(is_staff=True))
        for url in addresses(ProductFactory()):
            assert client.post(url, DATA).status_code == 403

    def test_permission(self, client: Client) -> None:
        """A user with the permission may do that, and nothing else."""
        client.force_login(user_with("change_product"))
        statuses = [client.get(url).status_code for url in addresses(ProductFactory())]
        assert statuses == [403, 200, 403]

    def test_fail_anonymous(self, client: Client) -> None:
        """Has to log in first."""
        for url in addresses(ProductFactory()):
            assertRedirects(client.post(url, DATA), f"/login/?next={url}")

    def test_fail_user(self, client: Client) -> None:
        """Any other user may not."""
        client.force_login(UserFactory())
        for url in addresses(ProductFactory()):
            assertContains(client.post(url, DATA), "not allowed", status_code=403)
