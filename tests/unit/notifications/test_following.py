"""Following: the record, the pages' buttons, and where they lead."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import IntegrityError
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse

from content.models import Author, Category
from notifications.models import Follow
from tests.factories import AuthorFactory, CategoryFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    """A reader."""
    return UserFactory.create(username="fay")


@pytest.fixture
def author() -> Author:
    """Somebody to follow."""
    return AuthorFactory.create(user__username="mara")


@pytest.fixture
def category() -> Category:
    """Something to follow."""
    return CategoryFactory.create(slug="news")


class TestFollow:
    @pytest.mark.parametrize("both", [True, False])
    def test_author_or_category_is_one_of_them(
        self, both: bool, user: User, author: Author, category: Category
    ) -> None:
        """A follow of both, or of nothing, can't be stored."""
        target: dict[str, Any] = {"author": author, "category": category} if both else {}
        with pytest.raises(IntegrityError):
            Follow.objects.create(user=user, **target)

    @pytest.mark.parametrize("kind", ["author", "category"])
    def test_once(self, kind: str, user: User, request: pytest.FixtureRequest) -> None:
        """Nobody follows the same twice."""
        target = {kind: request.getfixturevalue(kind)}
        Follow.objects.create(user=user, **target)
        with pytest.raises(IntegrityError):
            Follow.objects.create(user=user, **target)

    def test_toggle(self, user: User, author: Author, category: Category) -> None:
        """Toggling follows, then no longer, and leaves other follows alone."""
        Follow.objects.create(user=user, category=category)
        assert Follow.objects.toggle(user, author=author) is True
        assert Follow.objects.filter(user=user).count() == 2
        assert Follow.objects.toggle(user, author=author) is False
        assert Follow.objects.get(user=user).category == category

    def test_goes_with_its_target(self, user: User, author: Author) -> None:
        """A deleted author is followed by nobody."""
        Follow.objects.create(user=user, author=author)
        author.user.delete()
        assert not Follow.objects.exists()


@pytest.mark.parametrize(
    ("name", "slug", "page"),
    [
        ("follow-author", "mara", "/authors/mara/"),
        ("follow-category", "news", "/categories/news/"),
    ],
)
class TestViews:
    @pytest.fixture(autouse=True)
    def _targets(self, author: Author, category: Category) -> None:
        """Both exist."""

    def test_post_follows_and_unfollows(
        self, name: str, slug: str, page: str, client: Client, user: User
    ) -> None:
        """Each POST toggles, says so, and leads to the page of what is followed."""
        client.force_login(user)
        for count, text in ((1, "You now follow"), (0, "You no longer follow")):
            response = client.post(reverse(name, args=[slug]))
            assert (response.status_code, response.headers["Location"]) == (302, page)
            assert Follow.objects.filter(user=user).count() == count
            (message,) = list(get_messages(response.wsgi_request))[-1:]
            assert str(message).startswith(text)

    def test_get_is_refused(
        self, name: str, slug: str, page: str, client: Client, user: User
    ) -> None:
        """A link that is followed, by a person or a scanner, changes nothing."""
        client.force_login(user)
        assert client.get(reverse(name, args=[slug])).status_code == 405
        assert not Follow.objects.exists()

    def test_anonymous_is_asked_to_log_in(
        self, name: str, slug: str, page: str, client: Client
    ) -> None:
        """After the login they are on the page with the button, not at an address without GET."""
        response = client.post(reverse(name, args=[slug]))
        assert response.headers["Location"] == f"{reverse('account_login')}?next={page}"
        assert not Follow.objects.exists()

    def test_unknown_target(
        self, name: str, slug: str, page: str, client: Client, user: User
    ) -> None:
        """What doesn't exist can't be followed."""
        client.force_login(user)
        assert client.post(reverse(name, args=["nobody"])).status_code == 404

    @pytest.mark.parametrize(
        ("wanted", "safe"),
        [
            ("/articles/on-signals/?page=2", True),
            ("https://evil.example/", False),
            ("//evil", False),
        ],
    )
    def test_leads_back_but_not_away(
        self, name: str, slug: str, page: str, wanted: str, safe: bool, client: Client, user: User
    ) -> None:
        """``next`` leads back to where the button was, if that is on this site."""
        client.force_login(user)
        response = client.post(reverse(name, args=[slug]), {"next": wanted})
        assert response.headers["Location"] == (wanted if safe else page)

    def test_needs_the_csrf_token(self, name: str, slug: str, page: str, user: User) -> None:
        """Another site can't make somebody follow."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        assert client.post(reverse(name, args=[slug])).status_code == 403


class TestButton:
    def render(self, user: Any, kind: str, slug: str) -> str:
        """The button as a page includes it."""
        request = RequestFactory().get("/authors/mara/?page=2")
        request.user = user
        source = '{% include "notifications/follow_button.html" with kind=kind slug=slug %}'
        context = {"request": request, "user": user, "kind": kind, "slug": slug}
        return Template(source).render(Context(context))

    def test_offers_what_the_user_does_not_do_yet(self, user: User, author: Author) -> None:
        """Follow, or Unfollow for who follows already; it posts, and leads back."""
        html = self.render(user, "author", "mara")
        assert 'action="/authors/mara/follow/"' in html
        assert 'value="/authors/mara/?page=2"' in html
        assert ">Follow<" in html
        Follow.objects.create(user=user, author=author)
        assert ">Unfollow<" in self.render(user, "author", "mara")

    def test_category(self, user: User, category: Category) -> None:
        """A category has one too."""
        html = self.render(user, "category", "news")
        assert 'action="/categories/news/follow/"' in html
        Follow.objects.create(user=user, category=category)
        assert ">Unfollow<" in self.render(user, "category", "news")

    def test_nobody_follows_themselves(self, author: Author) -> None:
        """An author's own page has no button."""
        assert "<form" not in self.render(author.user, "author", "mara")

    def test_pages_have_it(
        self, client: Client, user: User, author: Author, category: Category
    ) -> None:
        """The pages of authors and categories have the button, also for who isn't logged in."""
        for _ in range(2):
            assert 'action="/authors/mara/follow/"' in client.get("/authors/mara/").content.decode()
            assert (
                'action="/categories/news/follow/"'
                in client.get("/categories/news/").content.decode()
            )
            client.force_login(user)
