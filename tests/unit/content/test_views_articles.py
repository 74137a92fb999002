"""The pages of an article."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from content.models import SLUG_LENGTH, Article, Author, Comment
from content.signals import article_published, article_viewed
from content.slugs import RANDOM_CHARACTERS, RANDOM_LENGTH
from tests.factories import (
    ArticleFactory,
    CategoryFactory,
    CommentFactory,
    UserFactory,
    user_with,
)

pytestmark = pytest.mark.django_db

DATA = {"title": "Ferns", "content": "They like shade."}


@pytest.fixture
def viewed() -> Iterator[list[Article]]:
    """The articles that ``article_viewed`` was sent for."""
    sent: list[Article] = []

    def note(sender: type[Article], article: Article, request: Any, **kwargs: Any) -> None:
        assert request.method == "GET"
        sent.append(article)

    article_viewed.connect(note)
    yield sent
    article_viewed.disconnect(note)


class TestArticleDetail:
    """An article's page."""

    def test_success(self, client: Client, viewed: list[Article]) -> None:
        """Shows it with its comments, and tells that it was viewed."""
        comment = CommentFactory()
        page = client.get(comment.article.get_absolute_url())
        assertContains(page, comment.article.title)
        assertContains(page, comment.text)
        assert viewed == [comment.article]

    def test_anonymous(self, client: Client) -> None:
        """Who isn't logged in is told how to comment, and offered no changes."""
        page = client.get(ArticleFactory(published=True).get_absolute_url())
        assertContains(page, "to comment")
        assertContains(page, "No comments yet.")
        assertNotContains(page, "Delete")

    def test_own_draft(self, client: Client, author: Author, viewed: list[Article]) -> None:
        """Its author sees it, can publish it, and that counts as no view."""
        page = client.get(ArticleFactory(author=author).get_absolute_url())
        assertContains(page, "Draft")
        assertContains(page, "Publish")
        assert viewed == []

    @pytest.mark.parametrize("status", [Article.Status.DRAFT, Article.Status.ARCHIVED])
    def test_fail_not_public(self, client: Client, author: Author, status: str) -> None:
        """To others it is not there."""
        article = ArticleFactory(status=status)
        assert client.get(article.get_absolute_url()).status_code == 404

    @pytest.mark.parametrize(
        ("codename", "buttons"),
        [
            ("view_article", []),
            ("change_article", ["publish", "edit"]),
            ("delete_article", ["delete"]),
        ],
    )
    def test_permission(self, client: Client, codename: str, buttons: list[str]) -> None:
        """Who may see drafts is offered what the permission allows, and nothing else."""
        client.force_login(user_with(codename))
        article = ArticleFactory()
        text = client.get(article.get_absolute_url()).content.decode()
        offered = [a for a in ("publish", "edit", "delete") if f"/{article.slug}/{a}/" in text]
        assert offered == buttons

    def test_fail_staff(self, client: Client) -> None:
        """Staff without a permission sees no draft."""
        client.force_login(UserFactory(is_staff=True))
        assert client.get(ArticleFactory().get_absolute_url()).status_code == 404

    def test_head_is_no_view(self, client: Client, viewed: list[Article]) -> None:
        """Nobody read it."""
        client.head(ArticleFactory(published=True).get_absolute_url())
        assert viewed == []

    def test_no_query_a_comment(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The article, the number of its comments, a page of them."""
        article = ArticleFactory(published=True, category=CategoryFactory())
        CommentFactory.create_batch(5, article=article)
        with django_assert_num_queries(3):
            client.get(article.get_absolute_url())


class TestPagesOfComments:
    """An article with more comments than a page shows."""

    @pytest.fixture
    def article(self) -> Article:
        """An article with a page and a half of comments."""
        article: Article = ArticleFactory(published=True)
        user = UserFactory()
        Comment.objects.bulk_create(
            Comment(article=article, user=user, text=f"Comment {number}.") for number in range(75)
        )
        return article

    def test_first(self, client: Client, article: Article) -> None:
        """Shows the oldest fifty, and the way to the others."""
        page = client.get(article.get_absolute_url())
        assertContains(page, "Comment 49.")
        assertNotContains(page, "Comment 50.")
        assertContains(page, "Page 1 of 2")
        assertContains(page, '<a rel="next" href="?page=2">Newer →</a>', html=True)

    @pytest.mark.parametrize("number", ["2", "last"])
    def test_last(self, client: Client, article: Article, number: str) -> None:
        """Shows the rest."""
        page = client.get(article.get_absolute_url(), {"page": number})
        assertContains(page, "Comment 74.")
        assertNotContains(page, "Comment 49.")

    @pytest.mark.parametrize("number", ["3", "0", "x", "9" * 30])
    def test_fail_no_such_page(self, client: Client, article: Article, number: str) -> None:
        """Is not found."""
        assert client.get(article.get_absolute_url(), {"page": number}).status_code == 404

    def test_new_comment(self, client: Client, author: Author, article: Article) -> None:
        """Its writer comes to the page that it stands on."""
        url = reverse("comment-create", args=[article.slug])
        assertContains(client.post(url, {"text": "Nice ferns"}, follow=True), "Nice ferns")


class TestArticleCreate:
    """Writing."""

    URL = reverse("article-create")

    def test_form(self, client: Client, author: Author) -> None:
        """Has a label at each field."""
        page = client.get(self.URL)
        assertContains(page, '<label for="id_title">')
        assertContains(page, '<label for="id_content">')

    def test_success(self, client: Client, author: Author) -> None:
        """The user is the author; the page of the article follows."""
        response = client.post(self.URL, DATA)
        article = Article.objects.get()
        assertRedirects(response, article.get_absolute_url())
        assert (article.author, article.status) == (author, Article.Status.DRAFT)

    def test_address_tells_of_no_draft(self, client: Client, author: Author) -> None:
        """An address looks the same whether somebody has a draft of this title or not."""
        ArticleFactory(title="Merger with Acme")
        for title in ("Merger with Acme", "Merger with Zenith", "Merger with Acme"):
            client.post(self.URL, DATA | {"title": title})
        slugs = Article.objects.filter(author=author).values_list("slug", flat=True)
        ends = [re.sub("^merger-with-(acme|zenith)-", "", slug) for slug in slugs]
        assert len(set(ends)) == 3
        assert all(re.fullmatch(f"[{RANDOM_CHARACTERS}]{{{RANDOM_LENGTH}}}", e) for e in ends)

    def test_longest_title(self, client: Client, author: Author) -> None:
        """The slug fits the column, and is an address."""
        client.post(self.URL, DATA | {"title": "ﬃ" * 200})
        article = Article.objects.get()
        assert len(article.slug) == SLUG_LENGTH
        assert client.get(article.get_absolute_url()).status_code == 200

    def test_published_at_once(self, client: Client, author: Author) -> None:
        """If that is chosen."""
        client.post(self.URL, DATA | {"status": "published"})
        assert Article.objects.get().is_published

    def test_user_without_author(self, client: Client, author: Author) -> None:
        """One that a fixture made gets one now."""
        author.delete()
        client.post(self.URL, DATA)
        assert Article.objects.get().author.user == author.user

    def test_fail_invalid(self, client: Client, author: Author) -> None:
        """The form comes back with the reason and with what was written."""
        page = client.post(self.URL, DATA | {"title": ""})
        assertContains(page, "Give the article a title.")
        assertContains(page, "They like shade.")
        assert not Article.objects.exists()

    def test_fail_anonymous(self, client: Client) -> None:
        """Has to log in first."""
        assertRedirects(client.get(self.URL), f"/login/?next={self.URL}")


class TestArticleEdit:
    """Changing an article."""

    def test_success(self, client: Client, author: Author) -> None:
        """Saves, and keeps the address."""
        article = ArticleFactory(author=author, title="Mosses")
        url = reverse("article-edit", args=[article.slug])
        assertContains(client.get(url), "Mosses")
        assertRedirects(client.post(url, DATA), "/articles/mosses/")
        article.refresh_from_db()
        assert article.title == "Ferns"

    def test_archive(self, client: Client, author: Author) -> None:
        """The status can be changed here."""
        article = ArticleFactory(author=author, published=True)
        client.post(reverse("article-edit", args=[article.slug]), DATA | {"status": "archived"})
        article.refresh_from_db()
        assert article.status == Article.Status.ARCHIVED

    def test_permission(self, client: Client) -> None:
        """Who has the permission may; the article stays its author's."""
        article = ArticleFactory()
        client.force_login(user_with("change_article"))
        client.post(reverse("article-edit", args=[article.slug]), DATA)
        assert Article.objects.get(title="Ferns").author == article.author

    def test_fail_invalid(self, client: Client, author: Author) -> None:
        """Nothing is saved."""
        article = ArticleFactory(author=author, title="Mosses")
        page = client.post(reverse("article-edit", args=[article.slug]), {"title": "Ferns"})
        assertContains(page, "Write the article&#x27;s text.")
        article.refresh_from_db()
        assert article.title == "Mosses"


class TestArticlePublish:
    """Publishing."""

    def test_success(self, client: Client, author: Author) -> None:
        """Everybody can read it then."""
        article = ArticleFactory(author=author)
        response = client.post(reverse("article-publish", args=[article.slug]), follow=True)
        assertContains(response, f"“{article.title}” is published.")
        article.refresh_from_db()
        assert article.is_published

    def test_twice(self, client: Client, author: Author) -> None:
        """The second time it says that it was."""
        article = ArticleFactory(author=author, published=True)
        response = client.post(reverse("article-publish", args=[article.slug]), follow=True)
        assertContains(response, "was published already.")

    def test_fail_get(self, client: Client, author: Author) -> None:
        """A link changes nothing."""
        article = ArticleFactory(author=author)
        assert client.get(reverse("article-publish", args=[article.slug])).status_code == 405

    def test_fail_without_token(self, author: Author) -> None:
        """A form of another site changes nothing, and what happened is explained."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(author.user)
        article = ArticleFactory(author=author)
        response = client.post(reverse("article-publish", args=[article.slug]))
        assertContains(response, "The form has expired", status_code=403)


class TestArticleDelete:
    """Deleting."""

    def test_asks_first(self, client: Client, author: Author) -> None:
        """The page deletes nothing."""
        article = ArticleFactory(author=author)
        url = reverse("article-delete", args=[article.slug])
        assertContains(client.get(url), "be undone")
        assert Article.objects.exists()

    def test_success(self, client: Client, author: Author) -> None:
        """Its comments go with it."""
        comment = CommentFactory(article__author=author)
        url = reverse("article-delete", args=[comment.article.slug])
        assertRedirects(client.post(url), "/")
        assert not Article.objects.exists()
        assert not Comment.objects.exists()

    def test_many_comments(self, client: Client, author: Author) -> None:
        """It disappears for everybody at once, and is deleted later."""
        article = ArticleFactory(author=author, published=True)
        CommentFactory.create_batch(3, article=article)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("content.removal.PIECE", 2)
            client.post(reverse("article-delete", args=[article.slug]))
        assert Comment.objects.count() == 3
        for reader in (client, Client()):
            assert reader.get(article.get_absolute_url()).status_code == 404
            assertNotContains(reader.get(author.get_absolute_url()), article.title)
        client.force_login(user_with("view_article", "change_article", "delete_article"))
        assert client.get(article.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("action", ["edit", "publish", "delete"])
class TestChangeRefused:
    """Who may not change an article."""

    def test_fail_anonymous(self, client: Client, action: str) -> None:
        """Has to log in; afterwards there is a page to come back to."""
        article = ArticleFactory(published=True)
        url = reverse(f"article-{action}", args=[article.slug])
        back = article.get_absolute_url() if action == "publish" else url
        assertRedirects(client.post(url, DATA), f"/login/?next={back}")

    def test_fail_other(self, client: Client, author: Author, action: str) -> None:
        """Is told that it isn't theirs."""
        article = ArticleFactory(published=True)
        response = client.post(reverse(f"article-{action}", args=[article.slug]), DATA)
        assertContains(response, "Only the author", status_code=403)
        article.refresh_from_db()
        assert article.title != "Ferns"

    def test_fail_staff(self, client: Client, action: str) -> None:
        """A member of staff without the permission may no more than any other user."""
        client.force_login(UserFactory(is_staff=True))
        article = ArticleFactory(published=True)
        response = client.post(reverse(f"article-{action}", args=[article.slug]), DATA)
        assertContains(response, "Only the author", status_code=403)
        article.refresh_from_db()
        assert article.title != "Ferns"

    def test_fail_others_draft(self, client: Client, author: Author, action: str) -> None:
        """Doesn't learn that there is one."""
        url = reverse(f"article-{action}", args=[ArticleFactory().slug])
        assert client.post(url, DATA).status_code == 404


class TestCommentCreate:
    """Commenting."""

    def test_success(self, client: Client, author: Author) -> None:
        """The comment is the user's, and the page shows it."""
        article = ArticleFactory(published=True)
        url = reverse("comment-create", args=[article.slug])
        response = client.post(url, {"text": "Nice ferns"}, follow=True)
        assertContains(response, "Nice ferns")
        assert article.comments.get().user == author.user

    def test_fail_empty(self, client: Client, author: Author) -> None:
        """The article's page says what is missing."""
        article = ArticleFactory(published=True)
        page = client.post(reverse("comment-create", args=[article.slug]), {"text": " "})
        assertContains(page, "Write something first.")
        assertContains(page, article.title)
        assert not Comment.objects.exists()

    def test_fail_anonymous(self, client: Client) -> None:
        """Comes back to the article after logging in."""
        article = ArticleFactory(published=True)
        response = client.post(reverse("comment-create", args=[article.slug]), {"text": "x"})
        assertRedirects(response, f"/login/?next={article.get_absolute_url()}")

    def test_fail_draft(self, client: Client, author: Author) -> None:
        """What can't be seen can't be commented."""
        url = reverse("comment-create", args=[ArticleFactory().slug])
        assert client.post(url, {"text": "x"}).status_code == 404

    def test_fail_get(self, client: Client, author: Author) -> None:
        """The address takes forms only."""
        url = reverse("comment-create", args=[ArticleFactory(published=True).slug])
        assert client.get(url).status_code == 405


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    """Two requests that publish the same article at the same time."""

    def test_published_once(self) -> None:
        """The second finds it published: readers are told once."""
        article, together, sent = ArticleFactory(), Barrier(2), []

        def publish(_: int) -> int:
            client = Client()
            client.force_login(article.author.user)
            together.wait(timeout=30)
            try:
                url = reverse("article-publish", args=[article.slug])
                return client.post(url).status_code
            finally:
                connection.close()

        def note(article: Article, **kwargs: Any) -> None:
            sent.append(article)

        article_published.connect(note)
        try:
            with ThreadPoolExecutor(2) as pool:
                assert list(pool.map(publish, range(2))) == [302, 302]
        finally:
            article_published.disconnect(note)
        assert sent == [article]
