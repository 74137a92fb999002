"""The admin's pages of the domain."""

import re
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from content.models import Article, Author, Category, Comment, Product, Profile
from tests.factories import (
    ArticleFactory,
    AuthorFactory,
    CategoryFactory,
    CommentFactory,
    ProductFactory,
    user_with,
)

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


class TestAddOnly:
    """A member of staff who may add articles, and see none."""

    @pytest.fixture
    def staff(self) -> Client:
        """The browser of that member of staff."""
        client = Client()
        client.force_login(user_with("add_article", "view_author", is_staff=True))
        return client

    def test_learns_of_no_draft(self, staff: Client) -> None:
        """The slug can't be chosen, so that nobody hears that it is taken."""
        draft = ArticleFactory(title="Merger with Acme")
        address = reverse("admin:content_article_add")
        assertNotContains(staff.get(address), 'name="slug"')
        data = {"title": draft.title, "slug": draft.slug, "author": draft.author_id}
        staff.post(address, data | {"content": "x", "status": "draft"})
        slug = Article.objects.exclude(pk=draft.pk).get().slug
        assert re.fullmatch("merger-with-acme-[a-z2-9]{11}", slug)

    def test_who_sees_all_chooses(self, admin_client: Client) -> None:
        """The form has the slug, and says when it is taken."""
        draft = ArticleFactory(title="Merger with Acme")
        data = {"title": "x", "slug": draft.slug, "author": draft.author_id}
        page = admin_client.post(
            reverse("admin:content_article_add"), data | {"content": "x", "status": "draft"}
        )
        assertContains(page, "Article with this Slug already exists.")


class TestViewOnSite:
    """The admin's link to the page of a row."""

    def path(self, article: Article) -> str:
        """The address of the link of an article."""
        key = ContentType.objects.get_for_model(Article).pk
        return reverse("admin:view_on_site", args=[key, article.pk])

    def test_success(self, client: Client) -> None:
        """Leads who may see all articles to the draft."""
        article = ArticleFactory()
        client.force_login(user_with("view_article", is_staff=True))
        response = client.get(self.path(article))
        assert response["Location"].endswith(article.get_absolute_url())

    def test_fail_staff(self, client: Client) -> None:
        """Tells the slug of a draft to no other staff."""
        client.force_login(user_with("view_product", is_staff=True))
        response = client.get(self.path(ArticleFactory(title="Merger with Acme")))
        assertNotContains(response, "merger", status_code=403)

    @pytest.mark.parametrize("key", ["0", "9" * 30])
    def test_fail_no_such_model(self, admin_client: Client, key: str) -> None:
        """Is not found."""
        assert admin_client.get(f"/admin/r/{key}/1/").status_code == 404


class TestAuthorChoice:
    """Choosing the author of an article."""

    def test_in_order(self, admin_client: Client) -> None:
        """The names are in an order, so that no page of them leaves one out."""
        for name in ("mia", "ann", "zoe"):
            AuthorFactory(user__username=name)
        query = {"app_label": "content", "model_name": "article", "field_name": "author"}
        answer = admin_client.get(reverse("admin:autocomplete"), query).json()
        names = [each["text"] for each in answer["results"]]
        assert [name for name in names if name != "admin"] == ["ann", "mia", "zoe"]


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
