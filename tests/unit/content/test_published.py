"""``article_published``: sent once when an article becomes published, in its transaction."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction
from django.utils import timezone

from content.models import Article
from content.signals import article_published
from tests.factories import ArticleFactory, AuthorFactory

NOW = timezone.now()

pytestmark = pytest.mark.django_db


@pytest.fixture
def published() -> Iterator[list[Article]]:
    """The articles that the signal was sent for."""
    sent: list[Article] = []

    def note(sender: type[Article], article: Article, using: str, **kwargs: Any) -> None:
        assert sender is Article
        assert using == "default"
        sent.append(article)

    article_published.connect(note)
    yield sent
    article_published.disconnect(note)


class TestSent:
    """When it is sent."""

    def test_created_published(self, published: list[Article]) -> None:
        """At creation."""
        article = ArticleFactory(published=True)
        assert published == [article]

    def test_published_later(self, published: list[Article]) -> None:
        """At a later save."""
        article = ArticleFactory()
        article.is_published = True
        article.save()
        assert published == [article]

    def test_loaded_and_published(self, published: list[Article]) -> None:
        """Also of an article that was loaded from the database, and by a partial save."""
        article = Article.objects.get(pk=ArticleFactory().pk)
        article.status = Article.Status.PUBLISHED
        article.save(update_fields=["status"])
        assert published == [article]

    def test_status_was_deferred(self, published: list[Article]) -> None:
        """Also when the old status wasn't loaded."""
        article = Article.objects.defer("status").get(pk=ArticleFactory().pk)
        article.status = Article.Status.PUBLISHED
        article.save()
        assert published == [article]

    def test_published_again(self, published: list[Article]) -> None:
        """Each time that it becomes published."""
        article = ArticleFactory(published=True)
        for value in (False, True):
            article.is_published = value
            article.save()
        assert published == [article, article]

    def test_after_a_rolled_back_update(self, published: list[Article]) -> None:
        """The save that succeeds sends it, after one that was rolled back."""
        article = ArticleFactory()
        article.is_published = True
        with transaction.atomic():
            article.save()
            transaction.set_rollback(True)
        published.clear()
        article.save()
        assert published == [article]

    def test_after_a_rolled_back_creation(self, published: list[Article]) -> None:
        """Also when it was the creation that was rolled back."""
        article = ArticleFactory.build(author=AuthorFactory(), published=True)
        with transaction.atomic():
            article.save()
            transaction.set_rollback(True)
        published.clear()
        article.save()
        assert published == [article]


class TestNotSent:
    """When it isn't."""

    def test_draft(self, published: list[Article]) -> None:
        """A draft, an archived article."""
        article = ArticleFactory()
        article.status = Article.Status.ARCHIVED
        article.save()
        assert published == []

    def test_saved_again(self, published: list[Article]) -> None:
        """A published article that is saved again, or loaded and saved."""
        article = ArticleFactory(published=True)
        published.clear()
        article.save()
        Article.objects.get(pk=article.pk).save()
        assert published == []

    def test_status_not_among_the_saved_fields(self, published: list[Article]) -> None:
        """A status that was set, but that this save doesn't write; the save that does sends it."""
        article = ArticleFactory()
        article.is_published = True
        article.save(update_fields=["title"])
        assert published == []
        article.save()
        assert published == [article]

    def test_raw_fixture(self, published: list[Article]) -> None:
        """loaddata publishes nothing."""
        article = ArticleFactory.build(
            author=AuthorFactory(), published=True, slug="x", pk=900, created_at=NOW, updated_at=NOW
        )
        for loaded in serializers.deserialize("json", serializers.serialize("json", [article])):
            loaded.save()
        assert Article.objects.filter(pk=900).exists()
        assert published == []
