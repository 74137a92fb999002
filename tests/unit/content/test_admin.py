"""The admin's pages of the domain."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from content.models import Article, Author, Category, Comment, Product, Profile
from tests.factories import ArticleFactory, CategoryFactory, CommentFactory, ProductFactory

pytestmark = pytest.mark.django_db

MODELS = (Article, Author, Category, Comment, Product, Profile)


def changelist(model: type[Model]) -> str:
    """The address of a model's list."""
    return reverse(f"admin:content_{model._meta.model_name}_changelist")


def make_rows() -> None:
    """One more of everything."""
    CommentFactory(article__category=CategoryFactory())
    ProductFactory()


@pytest.mark.parametrize("model", MODELS)
class TestChangelist:
    """The list of each model."""

    def test_success(self, model: type[Model], admin_client: Client) -> None:
        """Shows and searches."""
        make_rows()
        assert admin_client.get(changelist(model)).status_code == 200
        assert admin_client.get(changelist(model), {"q": "article"}).status_code == 200

    def test_no_query_a_row(self, model: type[Model], admin_client: Client) -> None:
        """More rows cost no more queries."""
        counts = []
        for rows in (2, 5):
            for _ in range(rows):
                make_rows()
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(changelist(model))
            counts.append(len(queries))
        assert counts[0] == counts[1]


class TestCounters:
    """What only tasks move."""

    def test_read_only(self, admin_client: Client) -> None:
        """A sent number changes nothing."""
        article = ArticleFactory(category=CategoryFactory())
        address = reverse("admin:content_article_change", args=[article.pk])
        assert b'name="view_count"' not in admin_client.get(address).content
        for model, field in (
            (Article, "view_count"),
            (Author, "article_count"),
            (Category, "article_count"),
        ):
            assert field in admin.site.get_model_admin(model).readonly_fields


class TestProductAdmin:
    """Changing a product there."""

    def test_saves(self, admin_client: Client) -> None:
        """The form works."""
        product = ProductFactory()
        address = reverse("admin:content_product_change", args=[product.pk])
        data = {"name": "Widget", "price": "14.99", "stock": "1", "is_active": "on"}
        assert admin_client.post(address, data).status_code == 302
        product.refresh_from_db()
        assert product.price == Decimal("14.99")
