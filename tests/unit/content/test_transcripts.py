"""The source material's usage transcripts, line by line, with real commits."""

import logging
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from aftercommit.worker.drain import drain_all
from content.models import Article, Comment, Profile
from tests.factories import AuthorFactory, CategoryFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def take_log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """A function: what was logged about articles since its last call."""
    caplog.set_level(logging.INFO, logger="content.receivers")

    def take() -> list[str]:
        records = [each for each in caplog.records if each.name == "content.receivers"]
        caplog.clear()
        return [record.getMessage() for record in records]

    return take


class TestArticle:
    """The transcript of the basic signals."""

    def test_create_update_delete(self, take_log: Callable[[], list[str]]) -> None:
        """Each step is logged before and after, with the title, the slug and the id."""
        author = AuthorFactory()
        article = Article.objects.create(title="My First Article", content="Hello!", author=author)
        pk = article.pk
        assert take_log() == [
            "PRE_SAVE: About to save article 'My First Article' "
            "with slug 'my-first-article' (ID: None)",
            f"POST_SAVE: New article created: 'My First Article' (ID: {pk}) "
            "with slug 'my-first-article'",
        ]

        article.title = "My Updated Article"
        article.save()
        assert take_log() == [
            "PRE_SAVE: About to save article 'My Updated Article' "
            f"with slug 'my-first-article' (ID: {pk})",
            f"POST_SAVE: Article updated: 'My Updated Article' (ID: {pk}) "
            "with slug 'my-first-article'",
        ]

        article.delete()
        assert take_log() == [
            f"PRE_DELETE: About to delete article 'My Updated Article' (ID: {pk}) "
            "with slug 'my-first-article'",
            f"POST_DELETE: Article 'My Updated Article' has been deleted (ID: {pk}) "
            "with slug 'my-first-article'",
        ]


class TestProfile:
    """The transcript of the user's profile."""

    def test_created_and_saved_with_the_user(self) -> None:
        """A new user has a profile at once, and saving the user saves it."""
        user = User.objects.create_user("john", "john@example.com", "password123")
        assert repr(user.profile) == "<Profile: john's profile>"

        user.profile.bio = "Hello, I'm John!"
        user.profile.location = "New York"
        user.save()

        stored = Profile.objects.get(user=user)
        assert stored.bio == "Hello, I'm John!"
        assert stored.location == "New York"


class TestCompleteApplication:
    """Publish, comment, count."""

    def test_publish_comment_count(self, client: Client) -> None:
        """The counters follow the article, and the views of its page."""
        author, category = AuthorFactory(), CategoryFactory()
        article = Article.objects.create(
            title="Counted", content="Once.", author=author, category=category
        )
        article.is_published = True
        article.save()
        Comment.objects.create(article=article, user=UserFactory(username="ann"), text="Nice")
        for _ in range(3):
            client.get(article.get_absolute_url())
        drain_all()

        for counted in (author, category, article):
            counted.refresh_from_db()
        assert author.article_count == category.article_count == 1
        assert article.view_count == 3
        assert str(article.comments.get()) == "Comment by ann on Counted"

        article.delete()
        drain_all()
        author.refresh_from_db()
        category.refresh_from_db()
        assert author.article_count == category.article_count == 0
