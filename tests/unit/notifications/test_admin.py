"""Deliveries and follows in the admin."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifications.models import Announcement, Follow, Mute
from tests.factories import AuthorFactory, UserFactory
from tests.unit.notifications.made import make_delivery

pytestmark = pytest.mark.django_db

LIST = reverse("admin:notifications_delivery_changelist")
FOLLOWS = reverse("admin:notifications_follow_changelist")
MUTES = reverse("admin:notifications_mute_changelist")
ANNOUNCEMENTS = reverse("admin:notifications_announcement_changelist")


@pytest.fixture
def admin(client: Client) -> Client:
    """A browser in which a superuser is logged in."""
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("url", [LIST, FOLLOWS, MUTES, ANNOUNCEMENTS])
def test_lists_take_no_query_a_row(url: str, admin: Client) -> None:
    """Ten more rows are no more queries."""

    def count(rows: range) -> int:
        for number in rows:
            make_delivery(number)
            Follow.objects.create(user=UserFactory.create(), author=AuthorFactory.create())
            Mute.objects.create(user=UserFactory.create(), kind="comment_posted")
            Announcement.objects.create(article_id=number + 1, author_id=1)
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(url).status_code == 200
        return len(queries)

    assert count(range(1)) == count(range(1, 11))


def test_list_can_be_filtered_and_searched(admin: Client) -> None:
    """By status and kind, by address and error."""
    make_delivery(1, status="failed", error="550 no such user")
    make_delivery(2, address="fay@example.com")
    for query, found in (
        ("status=failed", "1"),
        ("kind__exact=article_published&status__exact=pending", "2"),
        ("q=fay", "2"),
        ("q=no+such+user", "1"),
    ):
        keys = [each.key for each in admin.get(f"{LIST}?{query}").context["cl"].queryset]
        assert keys == [found]


def test_limited_can_be_found(admin: Client) -> None:
    """The list filters those over a limit, and shows whose limit it was."""
    make_delivery(1)
    make_delivery(2, status="limited", recipient=None, address="", error="user #5: Over the limit")
    text = admin.get(f"{LIST}?status__exact=limited").content.decode()
    assert "user #5: Over the limit" in text
    assert "1 delivery" in text


def test_page_shows_all_and_changes_nothing(admin: Client) -> None:
    """A delivery can be read, with its error; not changed, deleted or made."""
    delivery = make_delivery(1, status="failed", error="550 no such user")
    url = reverse("admin:notifications_delivery_change", args=[delivery.pk])
    text = admin.get(url).content.decode()
    assert "550 no such user" in text
    assert "4711" in text
    assert admin.post(url, {"status": "sent"}).status_code == 403
    assert admin.get(reverse("admin:notifications_delivery_add")).status_code == 403
    delete = reverse("admin:notifications_delivery_delete", args=[delivery.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
