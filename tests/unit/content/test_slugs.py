"""Slugs: unique, short enough, never empty, whoever else asks at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, close_old_connections, connection, transaction
from pytest_django import DjangoAssertNumQueries

from content import slugs
from content.models import Article, Author
from core.stack.waiting import wait_until
from tests.factories import ArticleFactory, AuthorFactory

pytestmark = pytest.mark.every_database

ALL_AT_ONCE = 6


def save_article(title: str, author: Author) -> str:
    """The slug of a new article, saved through a connection of its thread's own."""
    try:
        return Article.objects.create(title=title, author=author, content="x").slug
    finally:
        connection.close()


def waits_for_lock() -> bool:
    """Whether some session of the database waits for another's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


class TestStem:
    """The slug before it is numbered."""

    @pytest.mark.parametrize(
        ("title", "expected"),
        [
            ("My Title", "my-title"),
            ("  Ünïcode & and: punctuation!  ", "unicode-and-punctuation"),
            ("日本語", "article"),
            ("???", "article"),
            ("", "article"),
        ],
    )
    def test_success(self, title: str, expected: str) -> None:
        """The title's letters and digits; a word of ours where it has none."""
        assert slugs.stem(title) == expected

    def test_leaves_room_for_a_number(self) -> None:
        """A title that grows as a slug is cut, so that its number still fits the column."""
        assert len(slugs.stem("ﬃ" * 200)) == 220 - slugs.ROOM_FOR_END


@pytest.mark.django_db
class TestFreeSlug:
    """The slug that a new article gets."""

    def test_counts_up(self) -> None:
        """my-title, my-title-1, my-title-2."""
        made = [ArticleFactory(title="My title").slug for _ in range(3)]
        assert made == ["my-title", "my-title-1", "my-title-2"]

    def test_fills_a_gap(self) -> None:
        """The first number that is free, not the one after the last."""
        articles = [ArticleFactory(title="My title") for _ in range(3)]
        articles[1].delete()
        assert ArticleFactory(title="My title").slug == "my-title-1"

    def test_ignores_longer_titles(self) -> None:
        """A slug that only starts the same takes nothing away."""
        ArticleFactory(title="My title 1 and more")
        ArticleFactory(title="My titles")
        assert ArticleFactory(title="My title").slug == "my-title"

    def test_numbered_title(self) -> None:
        """A title that looks like a numbered slug is numbered itself."""
        assert ArticleFactory(title="My title 1").slug == "my-title-1"
        assert [ArticleFactory(title="My title").slug for _ in range(2)] == [
            "my-title",
            "my-title-2",
        ]

    def test_keeps_a_given_slug(self) -> None:
        """The slug that was given stays, whatever the title."""
        assert ArticleFactory(title="My title", slug="chosen").slug == "chosen"

    def test_stays_when_the_title_changes(self) -> None:
        """Addresses don't break."""
        article = ArticleFactory(title="My title")
        article.title = "Another title"
        article.save()
        article.refresh_from_db()
        assert article.slug == "my-title"

    def test_made_again_when_emptied(self) -> None:
        """Emptying the slug asks for a new one; the article's own old one is free to it."""
        article = ArticleFactory(title="My title")
        article.slug = ""
        article.save()
        assert article.slug == "my-title"

    def test_avoids_the_sites_own_addresses(self) -> None:
        """/articles/new/ is the form, so no article is there."""
        assert ArticleFactory(title="New").slug == "new-1"
        with pytest.raises(ValidationError, match="an address of the site itself"):
            ArticleFactory.build(author=AuthorFactory(), slug="new").full_clean()

    def test_costs_one_query(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        """However many are taken."""
        for _ in range(5):
            ArticleFactory(title="My title")
        article = Article(title="My title")
        with django_assert_num_queries(1):
            assert slugs.free_slug(article, "default") == "my-title-5"

    def test_deferred_slug_is_not_fetched(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        """Saving an article whose slug wasn't loaded asks for no slug before it writes."""
        pk = ArticleFactory().pk
        article = Article.objects.defer("slug").get(pk=pk)
        assert not article.lacks_slug
        assert "slug" in article.get_deferred_fields()


@pytest.mark.django_db
class TestSaveAfterLostRace:
    """What an INSERT does when another transaction committed the same slug before it."""

    def test_takes_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A made slug is made again, and what the caller did before it stays."""
        ArticleFactory(title="My title")
        answers = iter(["my-title", "my-title", "my-title-1"])
        monkeypatch.setattr("content.receivers.free_slug", lambda *_: next(answers))
        with transaction.atomic():
            before = AuthorFactory()
            article = ArticleFactory(title="My title", author=before)
        assert article.slug == "my-title-1"
        assert Author.objects.filter(pk=before.pk).exists()

    def test_fail_given_slug(self) -> None:
        """A slug that was chosen is not exchanged for another."""
        ArticleFactory(slug="chosen")
        author = AuthorFactory()
        with pytest.raises(IntegrityError), transaction.atomic():
            ArticleFactory(slug="chosen", author=author)

    def test_fail_other_constraint(self) -> None:
        """An error that isn't about the slug is raised as it is, at once."""
        author = AuthorFactory()
        with pytest.raises(IntegrityError, match=r"(?i)null"), transaction.atomic():
            ArticleFactory(content=None, author=author)

    def test_fail_never_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It gives up some time, and says so."""
        author = ArticleFactory(title="My title").author
        monkeypatch.setattr("content.receivers.free_slug", lambda *_: "my-title")
        with pytest.raises(IntegrityError, match="No free slug for 'My title'"):
            ArticleFactory(title="My title", author=author)


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    """Requests that want the same slug at the same time."""

    def test_second_waits_for_the_first(self) -> None:
        """The one that finds the slug taken at its INSERT gets the next one."""
        author, starts = AuthorFactory(), Event()

        def save_second() -> str:
            starts.set()
            return save_article("My title", author)

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                Article.objects.create(title="My title", author=author, content="x")
                second = pool.submit(save_second)
                wait_until(starts.is_set, awaited="the second request")
                if connection.vendor == "postgresql":
                    wait_until(waits_for_lock, awaited="the second request's INSERT")
            assert second.result(timeout=30) == "my-title-1"

    def test_all_at_once(self) -> None:
        """Nobody fails, and nobody shares a slug."""
        author, together = AuthorFactory(), Barrier(ALL_AT_ONCE)

        def save_together(_: int) -> str:
            together.wait(timeout=30)
            return save_article("My title", author)

        with ThreadPoolExecutor(ALL_AT_ONCE) as pool:
            made = set(pool.map(save_together, range(ALL_AT_ONCE)))
        assert made == {"my-title", *(f"my-title-{number}" for number in range(1, ALL_AT_ONCE))}
        close_old_connections()
