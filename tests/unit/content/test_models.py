"""What the models answer about themselves."""

import pytest
from django.contrib.auth.models import AnonymousUser

from content.models import Article
from tests.factories import (
    ArticleFactory,
    AuthorFactory,
    CategoryFactory,
    CommentFactory,
    ProductFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

STATUS = Article.Status


class TestIsPublished:
    """The property that stands for the status."""

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(STATUS.DRAFT, False), (STATUS.PUBLISHED, True), (STATUS.ARCHIVED, False)],
    )
    def test_reads_the_status(self, status: str, expected: bool) -> None:
        """Only published is published."""
        assert Article(status=status).is_published is expected

    @pytest.mark.parametrize(
        ("status", "published", "expected"),
        [
            (STATUS.DRAFT, True, STATUS.PUBLISHED),
            (STATUS.ARCHIVED, True, STATUS.PUBLISHED),
            (STATUS.PUBLISHED, False, STATUS.DRAFT),
            (STATUS.ARCHIVED, False, STATUS.ARCHIVED),
        ],
    )
    def test_sets_the_status(self, status: str, published: bool, expected: str) -> None:
        """An archived article that isn't published stays archived."""
        article = Article(status=status)
        article.is_published = published
        assert article.status == expected

    def test_given_at_creation(self) -> None:
        """As a keyword, as in the basic example."""
        article = ArticleFactory(is_published=True)
        article.refresh_from_db()
        assert article.status == STATUS.PUBLISHED


class TestVisibleTo:
    """Who may read what."""

    def test_success(self) -> None:
        """Published to everybody, the others to their author and to staff."""
        author = AuthorFactory()
        public = ArticleFactory(published=True)
        own = ArticleFactory(author=author)
        archived = ArticleFactory(status=STATUS.ARCHIVED)
        visible = {
            "nobody": set(Article.objects.visible_to(AnonymousUser())),
            "other": set(Article.objects.visible_to(UserFactory())),
            "author": set(Article.objects.visible_to(author.user)),
            "staff": set(Article.objects.visible_to(UserFactory(is_staff=True))),
        }
        assert visible == {
            "nobody": {public},
            "other": {public},
            "author": {public, own},
            "staff": {public, own, archived},
        }


class TestCanBeChangedBy:
    """Who may edit, publish and delete."""

    def test_success(self) -> None:
        """The author and staff."""
        article = ArticleFactory()
        assert article.can_be_changed_by(article.author.user)
        assert article.can_be_changed_by(UserFactory(is_staff=True))

    def test_fail_others(self) -> None:
        """Nobody else."""
        article = ArticleFactory()
        assert not article.can_be_changed_by(UserFactory())
        assert not article.can_be_changed_by(AnonymousUser())


class TestCountedIn:
    """Whose counters hold an article."""

    def test_is_what_the_database_has(self) -> None:
        """An author that was set and not saved doesn't count."""
        article = ArticleFactory(category=CategoryFactory())
        expected = {"author": article.author_id, "category": article.category_id}
        article.author, article.category = AuthorFactory(), None
        assert article.counted_in() == expected

    def test_deferred(self) -> None:
        """What wasn't loaded is looked up."""
        stored = ArticleFactory(category=CategoryFactory())
        article = Article.objects.only("title").get()
        assert article.counted_in() == {
            "author": stored.author_id,
            "category": stored.category_id,
        }


class TestStr:
    """What each is called."""

    def test_success(self) -> None:
        """By the name that people know."""
        user = UserFactory(username="john")
        article = ArticleFactory(title="On names", author=user.author)
        assert str(user.author) == "john"
        assert str(user.profile) == "john's profile"
        assert str(article) == "On names"
        assert str(CommentFactory(article=article, user=user)) == "Comment by john on On names"
        assert str(CategoryFactory(name="Garden")) == "Garden"
        assert str(ProductFactory(name="Widget")) == "Widget"
