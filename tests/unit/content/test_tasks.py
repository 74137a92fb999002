"""The counters: each follows every way in which an article comes, goes or changes hands."""

import threading
from typing import Any

import pytest
from django.core import serializers
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain import drain_all, drain_task
from content import tasks
from content.models import Article, Author, Category
from content.signals import article_viewed
from core.stack.waiting import wait_until
from tests.connections import another, at_once, somebody_waits
from tests.factories import ArticleFactory, AuthorFactory, CategoryFactory, UserFactory

NOW = timezone.now()
LOCK = f"SELECT id FROM {Article._meta.db_table} WHERE id = %s FOR UPDATE"  # noqa: S608  # nobody's

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def assert_counters_hold() -> None:
    """Every counter is what counting gives, once everything is settled."""
    assert drain_all().dead == 0
    for model in (Author, Category):
        for row in model.objects.all():
            assert row.article_count == row.articles.count(), row


def view(article: Article, times: int = 1) -> None:
    """Tell that readers opened the article."""
    for _ in range(times):
        article_viewed.send(sender=Article, article=article, request=None)


def counter_updates(queries: CaptureQueriesContext) -> list[str]:
    """The statements that moved counters, in their order."""
    return [
        each["sql"]
        for each in queries.captured_queries
        if each["sql"].startswith("UPDATE") and "_count" in each["sql"]
    ]


class TestCountArticles:
    """``article_count`` of authors and categories."""

    def test_creation(self) -> None:
        """A new article counts, a draft too."""
        category = CategoryFactory()
        ArticleFactory(category=category)
        ArticleFactory(category=category, published=True)
        assert_counters_hold()
        category.refresh_from_db()
        assert category.article_count == 2

    def test_deletion(self) -> None:
        """A deleted article counts no more."""
        article = ArticleFactory(category=CategoryFactory())
        ArticleFactory(category=article.category, author=article.author)
        article.delete()
        assert_counters_hold()

    def test_deletion_by_query(self) -> None:
        """Also those that a query deletes."""
        category = CategoryFactory()
        ArticleFactory.create_batch(3, category=category)
        Article.objects.filter(category=category).delete()
        assert_counters_hold()

    def test_other_author(self) -> None:
        """It changes hands."""
        article = ArticleFactory()
        article.author = AuthorFactory()
        article.save()
        assert_counters_hold()

    def test_other_category(self) -> None:
        """It is filed under another category, under none, and under one again."""
        article = ArticleFactory(category=CategoryFactory())
        for category in (CategoryFactory(), None, CategoryFactory()):
            article.category = category
            article.save()
            assert_counters_hold()

    def test_moved_and_deleted_unsaved(self) -> None:
        """What was set and never saved moves nothing."""
        article = ArticleFactory(category=CategoryFactory())
        article.author, article.category = AuthorFactory(), CategoryFactory()
        article.delete()
        assert_counters_hold()

    def test_deferred_and_deleted(self) -> None:
        """An article of which little was loaded counts no more either."""
        ArticleFactory(category=CategoryFactory())
        Article.objects.only("pk").get().delete()
        assert_counters_hold()

    def test_deleted_user(self) -> None:
        """The articles go with their author's user, and their categories count them no more."""
        author, category = AuthorFactory(), CategoryFactory()
        ArticleFactory.create_batch(2, author=author, category=category)
        ArticleFactory(category=category)
        author.user.delete()
        assert_counters_hold()
        category.refresh_from_db()
        assert category.article_count == 1

    def test_deleted_category(self) -> None:
        """Its articles stay, without a category; a call for its counter finds no row."""
        article = ArticleFactory(category=CategoryFactory())
        article.category.delete()
        assert_counters_hold()
        article.refresh_from_db()
        assert article.category is None

    def test_unchanged(self) -> None:
        """A save that moves nothing calls nothing."""
        article = ArticleFactory()
        drain_all()
        article.title = "Another title"
        article.save()
        assert not OutboxCall.objects.filter(task=tasks.count_articles.name).exists()

    def test_rolled_back(self) -> None:
        """An article that never was doesn't count."""
        author = AuthorFactory()
        with transaction.atomic():
            ArticleFactory(author=author)
            transaction.set_rollback(True)
        assert_counters_hold()

    def test_raw_fixture(self) -> None:
        """loaddata brings its own counters."""
        article = ArticleFactory.build(
            author=AuthorFactory(), slug="x", pk=900, created_at=NOW, updated_at=NOW
        )
        drain_all()
        for loaded in serializers.deserialize("json", serializers.serialize("json", [article])):
            loaded.save()
        assert not OutboxCall.objects.filter(task=tasks.count_articles.name).exists()

    def test_stale_instance_keeps_the_counter(self) -> None:
        """An author that was loaded before doesn't overwrite the counter with the old number."""
        stale = AuthorFactory()
        ArticleFactory(author=stale)
        drain_all()
        stale.bio = "Saved after the drain"
        stale.save()
        assert_counters_hold()

    def test_one_update_a_row_in_key_order(self) -> None:
        """A batch is netted: as many UPDATEs as rows that move, sorted."""
        authors = [AuthorFactory(), AuthorFactory()]
        for author in (*reversed(authors), *reversed(authors)):
            ArticleFactory(author=author, category=None)
        passing = ArticleFactory(author=authors[0], category=CategoryFactory())
        passing.delete()
        with CaptureQueriesContext(connection) as queries:
            drain_all()
        updates = counter_updates(queries)
        assert len(updates) == 2
        for author, update in zip(authors, updates, strict=True):
            assert f"{connection.ops.quote_name('id')} = {author.pk}" in update
        assert_counters_hold()


class TestCountViews:
    """``view_count`` of articles."""

    def test_success(self) -> None:
        """Views add up; a batch costs one UPDATE an article, or one of all that are viewed."""
        first, second = ArticleFactory.create_batch(2, author=AuthorFactory(), published=True)
        drain_all()
        view(second, times=2)
        view(first, times=3)
        with CaptureQueriesContext(connection) as queries:
            drain_all()
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.view_count, second.view_count) == (3, 2)
        if connection.vendor == "postgresql":
            assert sum("UPDATE content_article" in each["sql"] for each in queries) == 1
            assert counter_updates(queries) == []
        else:
            assert len(counter_updates(queries)) == 2

    def test_several_drains_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Drains that move the same counters at once lose and double no view."""
        task: Any = find_task(tasks.count_views.name)
        monkeypatch.setattr(task, "batch_size", 20)
        articles = ArticleFactory.create_batch(5, author=AuthorFactory(), published=True)
        drain_all()
        with transaction.atomic():
            for number in range(300):
                view(articles[number * 7 % 5])

        at_once(*[lambda: drain_task(task, "default")] * 3)
        drain_all()  # on a busy machine the time of those drains ends before their work does
        assert set(Article.objects.values_list("view_count", flat=True)) == {60}

    @pytest.mark.only_on("postgres", reason="a row that a comment refers to can't be updated")
    def test_beside_a_comment(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nobody's views wait for a comment on the article that commits, nor it for them."""
        article, reader = ArticleFactory(published=True), UserFactory()
        view(article)
        with another() as other, other.cursor() as commenting:
            commenting.execute(
                "INSERT INTO content_comment (article_id, user_id, text, created_at)"
                " VALUES (%s, %s, '', now())",
                [article.pk, reader.pk],
            )
            commenting.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as COMMIT does
            with connection.cursor() as own:
                own.execute("SET lock_timeout = 500")
            drain_all()
        connection.close()
        assert "its statement failed" not in caplog.text
        article.refresh_from_db()
        assert article.view_count == 1

    @pytest.mark.only_on("postgres", reason="elsewhere the counters move one after the other")
    def test_locks_in_key_order(self) -> None:
        """Of the rows that a batch locks none is locked before one of a lower key."""
        low, high = ArticleFactory.create_batch(2, author=AuthorFactory(), published=True)
        drain_all()
        Article.objects.filter(pk=low.pk).update(view_count=0)  # it is at the table's end now
        view(high)
        view(low)
        holds, is_locked = threading.Event(), []

        def hold_and_look() -> None:
            with another() as other, other.cursor() as cursor:
                cursor.execute(LOCK, [low.pk])
                holds.set()
                wait_until(somebody_waits, 10, "the drain to wait for the lower row")
                cursor.execute(f"{LOCK} SKIP LOCKED", [high.pk])
                is_locked.append(cursor.fetchone() is None)

        at_once(hold_and_look, lambda: holds.wait(10) and drain_all())
        assert is_locked == [False]
        assert set(Article.objects.values_list("view_count", flat=True)) == {1}

    def test_without_its_argument(self) -> None:
        """A call that names no article is a dead letter, and keeps none beside it from counting."""
        article = ArticleFactory(published=True)
        view(article)
        tasks.count_views.delay_on_commit(article=article.pk)
        view(article)
        OutboxCall.objects.filter(payload__contains='"article":').update(attempts=8)
        drain_all()
        article.refresh_from_db()
        assert article.view_count == 2
        assert "KeyError: 'article_id'" in OutboxCall.objects.get().error

    def test_stale_instance_keeps_the_counter(self) -> None:
        """An author who edits while others read doesn't take their views away."""
        article = ArticleFactory(published=True)
        view(article)
        drain_all()
        article.title = "Edited"
        article.save()
        article.refresh_from_db()
        assert article.view_count == 1

    def test_article_is_gone(self) -> None:
        """A view of an article that was deleted meanwhile is settled."""
        article = ArticleFactory(published=True)
        view(article)
        article.delete()
        assert drain_all().dead == 0
        assert not OutboxCall.objects.exists()

    def test_says_nothing_of_an_update(self) -> None:
        """A view is no edit."""
        article = ArticleFactory(published=True)
        view(article)
        drain_all()
        assert Article.objects.get(pk=article.pk).updated_at == article.updated_at
