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
    user_with,
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
        """Published to everybody, the others to their author alone. Staff is everybody."""
        author = AuthorFactory()
        public = ArticleFactory(published=True)
        own = ArticleFactory(author=author)
        ArticleFactory(status=STATUS.ARCHIVED)
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
            "staff": {public},
        }

    @pytest.mark.parametrize("codename", ["view_article", "change_article", "delete_article"])
    def test_permission(self, codename: str) -> None:
        """Who has a permission on all articles sees all, without being staff."""
        draft = ArticleFactory()
        assert set(Article.objects.visible_to(user_with(codename))) == {draft}

    def test_one_article(self) -> None:
        """An article says of itself what the query finds."""
        author = AuthorFactory()
        articles = [ArticleFactory(author=author, status=status) for status in STATUS]
        users = [AnonymousUser(), UserFactory(), author.user, user_with("view_article")]
        for user in users:
            seen = {article for article in articles if article.can_be_seen_by(user)}
            assert seen == set(Article.objects.visible_to(user)), user
            assert not {article for article in seen if article.status == STATUS.REMOVED}

    def test_fail_other_permission(self) -> None:
        """A permission to add articles, or on another model, shows none."""
        ArticleFactory()
        assert not Article.objects.visible_to(user_with("add_article", "change_product"))


class TestChangeAndDelete:
    """Who may edit and publish, and who may delete."""

    def test_success(self) -> None:
        """The author may both, and who has the permission may what it says."""
        article = ArticleFactory()
        author, editor, remover = (
            article.author.user,
            user_with("change_article"),
            user_with("delete_article"),
        )
        assert [article.can_be_changed_by(u) for u in (author, editor, remover)] == [1, 1, 0]
        assert [article.can_be_deleted_by(u) for u in (author, editor, remover)] == [1, 0, 1]

    @pytest.mark.parametrize("question", ["can_be_changed_by", "can_be_deleted_by"])
    def test_fail_others(self, question: str) -> None:
        """Nobody else, and no staff."""
        may = getattr(ArticleFactory(), question)
        assert not may(UserFactory())
        assert not may(UserFactory(is_staff=True))
        assert not may(user_with("view_article", "add_article", is_staff=True))
        assert not may(AnonymousUser())


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
