"""Which transactions a request opens: one that reads opens none, one that writes its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models.signals import post_save
from django.test import Client
from django.urls import reverse

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from content.models import Article, Author, Profile
from notifications.models import Follow
from tests.connections import another
from tests.factories import ArticleFactory, CategoryFactory, user_with
from tests.unit.aftercommit.observe import receiver_of, statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

PAGES = ["/", "/categories/garden/", "/authors/ada/", "/products/", "/profile/", "/articles/new/"]
ACTIONS = ["edit", "publish", "delete"]
DATA = {"title": "Ferns", "content": "They like shade."}


class FailError(Exception):
    """What a receiver of these tests raises."""


@pytest.fixture
def article() -> Article:
    """A draft of the user ada's, in the category Garden."""
    user = user_with("add_product", username="ada")
    category = CategoryFactory(name="Garden", slug="garden")
    article: Article = ArticleFactory(author=user.author, category=category, title="Mosses")
    drain_all()
    return article


@pytest.fixture
def client(article: Article) -> Client:
    """Ada's browser."""
    client = Client()
    client.force_login(article.author.user)
    return client


@pytest.fixture
def writer() -> Iterator[None]:
    """Another connection amid a change: on SQLite it has the lock of all writers."""
    with another() as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO auth_group (name) VALUES ('a')")
        yield


class TestReading:
    """A GET."""

    @pytest.mark.parametrize("path", PAGES)
    def test_statements(self, client: Client, path: str) -> None:
        """Selects, and opens no transaction."""
        with statements() as run:
            assert client.get(path).status_code == 200
        assert {statement.split()[0] for statement in run} <= {"SELECT", "DECLARE"}

    @pytest.mark.parametrize("path", PAGES)
    def test_beside_a_writer(self, client: Client, writer: None, path: str) -> None:
        """Waits for no writer, on SQLite neither."""
        assert client.get(path).status_code == 200

    @pytest.mark.parametrize("action", ["edit", "delete"])
    def test_form(self, client: Client, article: Article, action: str) -> None:
        """The form of a change locks nothing yet."""
        with statements() as run:
            client.get(reverse(f"article-{action}", args=[article.slug]))
        assert {statement.split()[0] for statement in run} <= {"SELECT", "DECLARE"}

    def test_view_of_an_article(self, client: Client, article: Article) -> None:
        """Is counted by one INSERT, which is its own transaction."""
        Article.objects.update(status=Article.Status.PUBLISHED)
        with statements() as run:
            client.get(article.get_absolute_url())
        assert [each for each in run if not each.startswith("SELECT")] == [
            "INSERT aftercommit_outboxcall"
        ]
        drain_all()
        article.refresh_from_db()
        assert article.view_count == 1


class TestWriting:
    """A POST."""

    @pytest.mark.parametrize("action", ACTIONS)
    def test_one_transaction(self, client: Client, article: Article, action: str) -> None:
        """Reads, changes and commits an article with its calls in one transaction."""
        with statements() as run:
            url = reverse(f"article-{action}", args=[article.slug])
            assert client.post(url, DATA | {"status": "published"}).status_code == 302
        changes = run[run.index("BEGIN") : run.index("COMMIT")]
        assert changes[1] == "SELECT content_article"
        assert changes[-1] == "INSERT aftercommit_outboxcall"
        assert run.count("BEGIN") == 1

    @pytest.mark.parametrize("action", ACTIONS)
    def test_fails(self, client: Client, article: Article, action: str) -> None:
        """A change whose end fails is none, and has no call."""
        client.raise_request_exception = False
        url = reverse(f"article-{action}", args=[article.slug])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("content.views.articles.messages", None)
            patch.setattr("django.contrib.messages.views.messages", None)
            assert client.post(url, DATA | {"status": "published"}).status_code == 500
        assert (article.title, article.status) == ("Mosses", Article.Status.DRAFT)
        assert Article.objects.filter(title="Mosses", status=Article.Status.DRAFT).exists()
        assert not OutboxCall.objects.exists()

    def test_author_of_a_first_article(self, client: Client, article: Article) -> None:
        """The author is made with the article or not at all."""
        Author.objects.all().delete()
        drain_all()

        def fail(instance: Any) -> None:
            raise FailError

        with receiver_of(post_save, Article, fail), pytest.raises(FailError):
            client.post(reverse("article-create"), DATA)
        assert not Author.objects.exists()
        assert not OutboxCall.objects.exists()
        client.post(reverse("article-create"), DATA)
        assert Author.objects.get() == Article.objects.get().author

    def test_others(self, client: Client, article: Article) -> None:
        """A comment, a profile, a product and a follow are had too."""
        client.post(reverse("comment-create", args=[article.slug]), {"text": "Nice."})
        client.post(reverse("profile-edit"), {"bio": "I write."})
        client.post(reverse("product-create"), {"name": "Lamp", "price": "1", "stock": "1"})
        client.post(reverse("follow-category", args=["garden"]))
        assert article.comments.count() == 1
        assert Profile.objects.get().bio == "I write."
        assert Follow.objects.count() == 1
        drain_all()
        client.post(reverse("follow-category", args=["garden"]))
        assert not Follow.objects.exists()
