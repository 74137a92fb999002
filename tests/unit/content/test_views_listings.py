"""The pages that list articles."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains

from aftercommit.worker.drain import drain_all
from content.models import Article, Author
from tests.factories import (
    ArticleFactory,
    AuthorFactory,
    CategoryFactory,
    UserFactory,
    user_with,
)

pytestmark = pytest.mark.django_db


class TestArticleList:
    """The front page."""

    URL = reverse("article-list")

    def test_success(self, client: Client) -> None:
        """Shows what is published, with its author and category."""
        article = ArticleFactory(published=True, category=CategoryFactory(name="Garden"))
        draft = ArticleFactory(title="Unfinished")
        page = client.get(self.URL)
        assertContains(page, article.title)
        assertContains(page, article.author)
        assertContains(page, "Garden")
        assertNotContains(page, draft.title)

    def test_empty(self, client: Client) -> None:
        """Says that there is nothing."""
        assertContains(client.get(self.URL), "Nothing is published yet.")

    def test_newest_first_in_pages(self, client: Client) -> None:
        """Ten a page."""
        articles = ArticleFactory.create_batch(11, published=True, author=AuthorFactory())
        first = client.get(self.URL)
        assert list(first.context["object_list"]) == articles[:0:-1]
        assertContains(first, "Page 1 of 2")
        assert list(client.get(self.URL, {"page": 2}).context["object_list"]) == [articles[0]]

    @pytest.mark.parametrize("page", ["3", "0", "x"])
    def test_fail_no_such_page(self, client: Client, page: str) -> None:
        """Is not found."""
        assert client.get(self.URL, {"page": page}).status_code == 404

    def test_no_query_an_article(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The number, the articles, the categories."""
        for _ in range(5):
            ArticleFactory(published=True, category=CategoryFactory())
        with django_assert_num_queries(3):
            client.get(self.URL)

    def test_escapes(self, client: Client) -> None:
        """What authors write is text."""
        ArticleFactory(published=True, title="<script>alert(1)</script>")
        assertNotContains(client.get(self.URL), "<script>")


class TestCategoryDetail:
    """A category's page."""

    def test_success(self, client: Client) -> None:
        """Shows what is published in it."""
        category = CategoryFactory()
        article = ArticleFactory(category=category, published=True)
        other = ArticleFactory(published=True, title="Elsewhere")
        page = client.get(category.get_absolute_url())
        assertContains(page, article.title)
        assertNotContains(page, other.title)

    def test_empty(self, client: Client) -> None:
        """Says that there is nothing."""
        page = client.get(CategoryFactory().get_absolute_url())
        assertContains(page, "Nothing is published here yet.")

    def test_fail_unknown(self, client: Client) -> None:
        """Is not found."""
        assert client.get("/categories/none/").status_code == 404


@pytest.mark.parametrize("subject", ["author", "category"])
class TestCounts:
    """How many articles the page of an author or a category says that there are."""

    @pytest.fixture
    def address(self, author: Author, subject: str) -> str:
        """The page of who or what has eleven published articles, a draft and an archived one."""
        category = CategoryFactory()
        made = {"author": author, "category": category}
        ArticleFactory.create_batch(11, published=True, **made)
        ArticleFactory(**made)
        ArticleFactory(status=Article.Status.ARCHIVED, **made)
        drain_all()
        return {"author": author, "category": category}[subject].get_absolute_url()

    def test_public(self, address: str) -> None:
        """What is published, to the public and to users who can't see the others."""
        stranger, staff = Client(), Client()
        stranger.force_login(UserFactory())
        staff.force_login(UserFactory(is_staff=True))
        for client in (Client(), stranger, staff):
            page = client.get(address)
            assertContains(page, "11 articles")
            assertNotContains(page, "11 articles published")

    def test_author(self, client: Client, address: str) -> None:
        """Both, to who sees both."""
        assertContains(client.get(address), "11 articles published, 2 not")

    def test_permission(self, address: str) -> None:
        """Both, to who has the permission to see all articles."""
        client = Client()
        client.force_login(user_with("view_article"))
        assertContains(client.get(address), "11 articles published, 2 not")

    def test_costs_no_query(
        self, address: str, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """Whom or what the page is about, the number, the articles."""
        with django_assert_num_queries(3):
            Client().get(address)


class TestAuthorDetail:
    """An author's page."""

    def test_success(self, client: Client) -> None:
        """Shows who it is, and what they published."""
        author = AuthorFactory(bio="Writes about ferns.")
        ArticleFactory(author=author, published=True, title="Ferns")
        ArticleFactory(author=author, title="Unfinished")
        page = client.get(author.get_absolute_url())
        assertContains(page, "Writes about ferns.")
        assertContains(page, "Ferns")
        assertNotContains(page, "Unfinished")

    def test_own(self, client: Client, author: Author) -> None:
        """The author finds the drafts here too."""
        ArticleFactory(author=author, title="Unfinished")
        assertContains(client.get(author.get_absolute_url()), "Unfinished")

    def test_odd_username(self, client: Client) -> None:
        """Every username that Django allows has a page."""
        author = AuthorFactory(user__username="ann.o+b@c-d_é")
        assert client.get(author.get_absolute_url()).status_code == 200

    def test_late_counter(self, client: Client) -> None:
        """The page counts what it lists, also while the counter is behind."""
        author = AuthorFactory()
        Author.objects.update(article_count=-1)
        assertContains(client.get(author.get_absolute_url()), "No articles")

    def test_fail_unknown(self, client: Client) -> None:
        """Is not found."""
        assert client.get("/authors/nobody/").status_code == 404
