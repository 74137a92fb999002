"""Several transactions at once, on one row: what is logged and counted is what happened."""

from typing import Any

import pytest
from django.db import transaction

from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content.models import Article, Author
from content.signals import article_published
from tests.connections import at_once
from tests.factories import ArticleFactory, AuthorFactory

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Action = AuditLog.Action


def entries(action: Action) -> int:
    """How many entries about articles have this action."""
    return AuditLog.objects.filter(model_label="content.article", action=action).count()


@pytest.mark.parametrize("how", ["instance", "queryset"])
def test_deleted_at_once(how: str) -> None:
    """Of several who delete an article one does; it is logged and counted once."""
    kept = ArticleFactory.create()
    author = kept.author
    article = ArticleFactory.create(author=author)
    copies = [Article.objects.get(pk=article.pk) for _ in range(4)]

    def delete(copy: Article) -> None:
        with transaction.atomic():
            copy.delete() if how == "instance" else Article.objects.filter(pk=copy.pk).delete()

    at_once(*(lambda copy=copy: delete(copy) for copy in copies))  # type: ignore[misc]
    drain_all()
    assert entries(Action.DELETE) == 1
    assert Author.objects.get(pk=author.pk).article_count == 1


def test_published_at_once() -> None:
    """Of several who publish a draft one does; it is told and logged once."""
    article = ArticleFactory.create()
    copies = [Article.objects.get(pk=article.pk) for _ in range(4)]
    told: list[Any] = []

    def tell(**kwargs: Any) -> None:
        told.append(kwargs)

    def publish(copy: Article) -> None:
        copy.is_published = True
        copy.save()

    article_published.connect(tell)
    try:
        at_once(*(lambda copy=copy: publish(copy) for copy in copies))  # type: ignore[misc]
    finally:
        article_published.disconnect(tell)
    drain_all()
    assert len(told) == 1
    assert entries(Action.UPDATE) == 1


def test_moved_by_who_knew_another_author() -> None:
    """A stale instance that writes the old author back moves the article back."""
    first, second = AuthorFactory.create(), AuthorFactory.create()
    article = ArticleFactory.create(author=first)
    stale = Article.objects.get(pk=article.pk)
    article.author = second
    article.save()
    stale.title = "Another title"
    stale.save()
    drain_all()
    counts = dict(Author.objects.values_list("pk", "article_count"))
    assert counts == {first.pk: 1, second.pk: 0}
    changes = AuditLog.objects.for_object(article).filter(action=Action.UPDATE)
    assert [set(entry.changes) for entry in changes] == [{"author", "title"}, {"author"}]
