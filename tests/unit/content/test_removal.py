"""An article with many comments is deleted in pieces."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content import removal, tasks
from content.models import Article, Comment
from tests.factories import ArticleFactory, CommentFactory, user_with

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two comments are a piece, so that seven take four transactions."""
    monkeypatch.setattr(removal, "PIECE", 2)


@pytest.fixture
def article() -> Article:
    """A published article with seven comments."""
    article: Article = ArticleFactory(published=True)
    CommentFactory.create_batch(7, article=article)
    drain_all()
    return article


class TestRemoveArticle:
    """Deleting from the pages."""

    def test_all_of_it_in_the_end(self, article: Article) -> None:
        """The article and the comments are gone, and each is in the log as deleted, once."""
        other = CommentFactory()
        removal.remove_article(article)
        assert Article.objects.get(pk=article.pk).status == Article.Status.REMOVED
        assert drain_all().dead == 0
        assert list(Comment.objects.all()) == [other]
        assert not Article.objects.filter(pk=article.pk).exists()
        deleted = AuditLog.objects.filter(action=AuditLog.Action.DELETE)
        assert deleted.filter(content_type__model="comment").count() == 7
        assert deleted.filter(content_type__model="article").count() == 1

    def test_in_pieces(self, article: Article, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each transaction runs one call, which deletes a piece. The last deletes the article."""
        delete_piece, left = removal.delete_piece, []

        def noting(*args: Any) -> bool:
            gone = delete_piece(*args)
            left.append((Comment.objects.count(), gone))
            return gone

        monkeypatch.setattr(removal, "delete_piece", noting)
        removal.remove_article(article)
        drain_all()
        assert left == [(5, False), (3, False), (1, False), (0, True)]
        task: Any = find_task(tasks.delete_removed.name)
        assert task.batch_size == 1

    def test_few_comments(self) -> None:
        """An article with few comments is deleted at once, and has no call."""
        article = CommentFactory().article
        removal.remove_article(article)
        assert not Article.objects.exists()
        assert not OutboxCall.objects.filter(task=tasks.delete_removed.name).exists()

    def test_rolled_back(self, article: Article) -> None:
        """A deletion that was not committed deletes nothing."""
        with transaction.atomic():
            removal.remove_article(article)
            transaction.set_rollback(True)
        drain_all()
        assert Comment.objects.count() == 7

    def test_restored_meanwhile(self, article: Article) -> None:
        """An article whose status was set back keeps what it still has."""
        removal.remove_article(article)
        Article.objects.update(status=Article.Status.PUBLISHED)
        drain_all()
        assert Comment.objects.count() == 7

    def test_gone_meanwhile(self, article: Article) -> None:
        """An article that somebody else deleted leaves nothing to do."""
        removal.remove_article(article)
        Article.objects.get().delete()
        assert drain_all().dead == 0


class TestAdmin:
    """Deleting in the admin."""

    @pytest.fixture
    def staff(self, client: Client) -> Client:
        """The browser of a member of staff who may delete articles and comments."""
        rights = ("view_article", "delete_article", "delete_comment")
        client.force_login(user_with(*rights, is_staff=True))
        return client

    def test_one(self, staff: Client, article: Article) -> None:
        """Says how many comments there are, names none, and deletes them in pieces."""
        address = reverse("admin:content_article_delete", args=[article.pk])
        page = staff.get(address)
        assertContains(page, "Comments: 7")
        assertNotContains(page, "Comment by")
        staff.post(address, {"post": "yes"})
        assert Article.objects.get().status == Article.Status.REMOVED
        drain_all()
        assert not Article.objects.exists()

    def test_selected(self, staff: Client, article: Article) -> None:
        """So do the selected ones."""
        data = {"action": "delete_selected", "_selected_action": [article.pk], "post": "yes"}
        staff.post(reverse("admin:content_article_changelist"), data)
        assert Article.objects.get().status == Article.Status.REMOVED

    def test_fail_comments_are_not_theirs(self, client: Client, article: Article) -> None:
        """Who may not delete comments can't delete an article that has some."""
        client.force_login(user_with("view_article", "delete_article", is_staff=True))
        address = reverse("admin:content_article_delete", args=[article.pk])
        assert client.post(address, {"post": "yes"}).status_code == 403
        assert Article.objects.get().status == Article.Status.PUBLISHED
