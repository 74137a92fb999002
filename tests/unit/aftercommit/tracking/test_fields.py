"""CounterField: what a stale instance can't overwrite."""

import pytest
from django.contrib.admin.sites import site
from django.core.management import call_command
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.db.models import F
from django.forms import modelform_factory

from aftercommit.tracking.fields import CounterField
from content.models import Article, Author, Category
from tests.factories import ArticleFactory, CategoryFactory
from tests.unit.aftercommit.observe import statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def move(article: Article, by: int) -> None:
    """Move the counter as a task does."""
    Article.objects.filter(pk=article.pk).update(view_count=F("view_count") + by)


def count(article: Article) -> int:
    """What the database holds."""
    return Article.objects.values_list("view_count", flat=True).get(pk=article.pk)


class TestSave:
    """``save()`` of a model with a counter."""

    def test_stale_instance(self) -> None:
        """Doesn't write back the number that it was loaded with."""
        article = Article.objects.get(pk=ArticleFactory().pk)
        move(article, 3)
        article.title = "New"
        article.save()
        assert count(article) == 3
        assert Article.objects.get(pk=article.pk).title == "New"

    def test_assigned(self) -> None:
        """Doesn't write a number that was assigned."""
        article = ArticleFactory()
        move(article, 3)
        article.view_count = 1000
        article.save()
        assert count(article) == 3

    def test_update_fields(self) -> None:
        """Not even if the counter is named."""
        article = ArticleFactory()
        move(article, 3)
        article.view_count = 1000
        article.save(update_fields=["view_count", "title"])
        article.save(update_fields=["view_count"])
        assert count(article) == 3

    def test_just_created(self) -> None:
        """An instance that was created, and moved since, doesn't either."""
        article = ArticleFactory()
        move(article, 3)
        article.save()
        assert count(article) == 3

    def test_no_more_statements(self) -> None:
        """Costs the one UPDATE."""
        article = ArticleFactory()
        with statements() as run:
            article.save()
        assert run == ["UPDATE content_article"]

    def test_instance_keeps_a_number(self) -> None:
        """The instance goes on holding a number, not an expression."""
        article = ArticleFactory()
        article.save()
        assert article.view_count == 0

    def test_refreshed(self) -> None:
        """A refreshed instance has the new number."""
        article = ArticleFactory()
        move(article, 3)
        article.refresh_from_db()
        assert article.view_count == 3


class TestCreation:
    """A new row."""

    def test_default(self) -> None:
        """Starts at 0."""
        assert count(ArticleFactory()) == 0

    def test_value(self) -> None:
        """Starts at the value that it is given, whichever way it is made."""
        author = ArticleFactory().author
        made = ArticleFactory(view_count=5)
        by_key = Article(pk=4711, title="By key", author=author, content="x", view_count=6)
        by_key.save()
        bulk = Article(title="Bulk", slug="bulk", author=author, content="x", view_count=7)
        Article.objects.bulk_create([bulk])
        assert [count(article) for article in (made, by_key, bulk)] == [5, 6, 7]


class TestBulkUpdate:
    """``bulk_update``."""

    def test_other_fields(self) -> None:
        """Of other fields leaves the counter."""
        article = ArticleFactory()
        move(article, 3)
        article.title = "New"
        Article.objects.bulk_update([article], ["title"])
        assert count(article) == 3

    def test_counter(self) -> None:
        """Of the counter writes it: a recount says so on purpose."""
        article = ArticleFactory()
        article.view_count = 1000
        Article.objects.bulk_update([article], ["view_count"])
        assert count(article) == 1000


class TestDefinition:
    """The field as Django sees it."""

    def test_defaults(self) -> None:
        """Is 0 at first and in no form."""
        field = CounterField()
        assert (field.default, field.editable) == (0, False)

    @pytest.mark.parametrize("model", [Article, Author, Category])
    def test_form(self, model: type[models.Model]) -> None:
        """A form of all fields has no counter."""
        form = modelform_factory(model, fields="__all__")
        assert not {"view_count", "article_count"} & set(form.base_fields)
        assert site.is_registered(model)

    def test_deconstruct(self) -> None:
        """A migration can be written with it, and makes the same field again."""
        text, imports = MigrationWriter.serialize(CounterField(default=3))
        assert text == "aftercommit.tracking.fields.CounterField(default=3, editable=False)"
        assert imports == {"import aftercommit.tracking.fields"}
        _, _, args, kwargs = CounterField().deconstruct()
        assert CounterField(*args, **kwargs).deconstruct()[1:] == CounterField().deconstruct()[1:]

    def test_migrations(self) -> None:
        """The project's migrations are up to date."""
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)

    def test_serialized(self) -> None:
        """Counters of two rows don't mix."""
        first, second = CategoryFactory(), CategoryFactory()
        Category.objects.filter(pk=first.pk).update(article_count=F("article_count") + 2)
        second.save()
        first.save()
        numbers = Category.objects.order_by("pk").values_list("article_count", flat=True)
        assert list(numbers) == [2, 0]
