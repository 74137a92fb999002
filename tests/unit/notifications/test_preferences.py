"""The page "What I follow": the follows, and the switches of the mails."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifications.models import Follow, Kind, Mute
from tests.factories import CategoryFactory, UserFactory

pytestmark = pytest.mark.django_db

PAGE = reverse("following")


@pytest.fixture
def fay(client: Client) -> User:
    """A reader, who is logged in and follows an author and a category."""
    user: User = UserFactory(username="fay")
    Follow.objects.create(user=user, author=UserFactory(username="mara").author)
    Follow.objects.create(user=user, category=CategoryFactory(name="News", slug="news"))
    client.force_login(user)
    return user


def ticked(client: Client) -> set[str]:
    """Return the kinds whose boxes are ticked."""
    text = client.get(PAGE).content.decode()
    boxes = re.findall(r'<input type="checkbox" name="wanted" value="(\w+)"[^>]*checked', text)
    return {*boxes}


def test_shows_what_is_followed(client: Client, fay: User) -> None:
    """Each with its link and a button, and nobody else's."""
    Follow.objects.create(user=UserFactory(), author=UserFactory(username="tom").author)
    text = client.get(PAGE).content.decode()
    for path in ("/authors/mara/", "/categories/news/"):
        assert f'href="{path}"' in text
        assert f'action="{path}follow/"' in text
    assert "tom" not in text
    assert "fay@example.com" in text


def test_unfollow(client: Client, fay: User) -> None:
    """The button ends the follow and leads back. A second click doesn't begin it again."""
    form = {"next": PAGE, "wanted": "no"}
    for _ in range(2):
        response = client.post(reverse("follow-author", args=["mara"]), form)
        assert response.headers["Location"] == PAGE
        assert [str(each.target) for each in Follow.objects.all()] == ["News"]


def test_follow_twice(client: Client, fay: User) -> None:
    """Two clicks on "Follow" follow."""
    UserFactory(username="tom")
    for _ in range(2):
        client.post(reverse("follow-author", args=["tom"]), {"wanted": "yes"})
        assert Follow.objects.filter(user=fay, author__user__username="tom").count() == 1


def test_switches(client: Client, fay: User) -> None:
    """All are on at first. What is switched off stays off, and can be switched on again."""
    assert ticked(client) == {*Kind.values}
    response = client.post(PAGE, {"wanted": ["article_published"]}, follow=True)
    assert "Saved." in response.content.decode()
    assert ticked(client) == {"article_published"}
    assert [(each.user, each.kind) for each in Mute.objects.all()] == [(fay, "comment_posted")]
    client.post(PAGE, {"wanted": ["comment_posted"]})
    assert ticked(client) == {"comment_posted"}
    client.post(PAGE, {})
    assert ticked(client) == set()
    client.post(PAGE, {"wanted": Kind.values})
    assert not Mute.objects.exists()


def test_unknown_kind(client: Client, fay: User) -> None:
    """A kind that doesn't exist is refused with a sentence."""
    response = client.post(PAGE, {"wanted": ["weather"]})
    assert "weather is not one of the available choices" in response.content.decode()
    assert not Mute.objects.exists()


def test_unverified_address(client: Client) -> None:
    """Who has verified no address reads that no mail is sent."""
    client.force_login(UserFactory(verified=False))
    assert "None is sent, because your address" in client.get(PAGE).content.decode()


def test_many(client: Client, fay: User) -> None:
    """The list has pages, and no query a row."""
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    Follow.objects.bulk_create(
        Follow(user=fay, category=CategoryFactory(slug=f"c{number}")) for number in range(60)
    )
    with CaptureQueriesContext(connection) as many:
        text = client.get(PAGE).content.decode()
    assert text.count(">Unfollow<") == 50
    assert client.get(f"{PAGE}?page=2").content.decode().count(">Unfollow<") == 12
    assert len(many) <= len(few) + 1


def test_navigation(client: Client, fay: User) -> None:
    """Each page of the site leads there."""
    assert f'href="{PAGE}"' in client.get("/").content.decode()
