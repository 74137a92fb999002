"""What is asked again at each attempt to send a mail: who wants it now, and where it goes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aftercommit.worker.summary import DrainSummary
from core.accounts.addresses import mark_verified
from notifications.models import Delivery, Follow
from notifications.operations import SEND_AGAIN
from notifications.tasks import send_delivery
from tests.factories import ArticleFactory, CategoryFactory, CommentFactory, UserFactory
from tests.mailbox import MailServer
from tests.unit.notifications.made import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], DrainSummary]
Status = Delivery.Status


@pytest.fixture
def delivery(drain: Drain) -> Delivery:
    """A mail to fay about a published article in a category, which the server has put off once."""
    article = ArticleFactory(category=CategoryFactory(slug="news"))
    follower = UserFactory(username="fay", email="fay@example.com")
    Follow.objects.create(user=follower, author=article.author)
    article.is_published = True
    with MailServer() as server, patch("notifications.mail.new_connection"):
        assert server.port
        with patch("notifications.sending.new_connection", side_effect=OSError("down")):
            article.save()
            drain()
            drain()
    return Delivery.objects.get()


def state(delivery: Delivery) -> tuple[str, str]:
    """Return the status and the reason, as stored."""
    delivery.refresh_from_db()
    return delivery.status, delivery.error


def unfollow(delivery: Delivery) -> None:
    """Follow nothing any more."""
    Follow.objects.all().delete()


def mute(delivery: Delivery) -> None:
    """Switch the kind of mail off."""
    delivery.recipient.mutes.create(kind=delivery.kind)  # type: ignore[union-attr]


def unverify(delivery: Delivery) -> None:
    """Have another address in the place of the verified one."""
    User.objects.filter(username="fay").update(email="stranger@example.com")


def deactivate(delivery: Delivery) -> None:
    """Make the author's account inactive."""
    User.objects.filter(author__articles=delivery.article_id).update(is_active=False)


def become_author(delivery: Delivery) -> None:
    """Give the article to its recipient."""
    article = delivery.article
    assert article is not None
    article.author = delivery.recipient.author  # type: ignore[union-attr]
    article.save()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (unfollow, "The recipient no longer follows the author or the category."),
        (mute, "The recipient doesn't want mails of this kind."),
        (unverify, "The recipient has no verified address."),
        (deactivate, "The author's account is inactive."),
        (become_author, "The recipient is the author."),
    ],
)
@pytest.mark.every_database
def test_no_longer_due(
    change: Callable[[Delivery], None],
    reason: str,
    delivery: Delivery,
    mail_server: MailServer,
    drain: Drain,
) -> None:
    """A mail whose first attempt failed isn't sent by the next one, and the record says why."""
    change(delivery)
    drain()
    assert state(delivery) == (Status.SKIPPED, reason)
    assert mail_server.conversations == 0


def test_changed_address(delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
    """A mail goes to the address that is verified by now, and the record says which."""
    fay = User.objects.get(username="fay")
    fay.email = "new@example.com"
    fay.save()
    mark_verified(fay)
    drain()
    assert [message["To"] for message in mail_server.messages] == ["new@example.com"]
    assert state(delivery)[0] == Status.SENT
    assert delivery.address == "new@example.com"


def test_changed_and_not_verified(
    delivery: Delivery, mail_server: MailServer, drain: Drain
) -> None:
    """Neither to an address that isn't verified, nor to the one before."""
    User.objects.filter(username="fay").update(email="new@example.com")
    EmailAddress.objects.create(
        user=User.objects.get(username="fay"), email="new@example.com", verified=False
    )
    drain()
    assert state(delivery)[0] == Status.SKIPPED
    assert not mail_server.messages


def test_follows_something_else(delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
    """Who unfollowed the author, and follows the category, still gets it, for that reason."""
    Follow.objects.all().delete()
    article = delivery.article
    assert article is not None
    fay = User.objects.get(username="fay")
    Follow.objects.create(user=fay, category=article.category)
    drain()
    (message,) = mail_server.messages
    body = message.get_body(("plain",))
    assert body is not None
    assert f"because you follow {article.category}." in body.get_content()


def test_sent_again_by_a_person(delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
    """An operator's "send again" asks the same."""
    Delivery.objects.update(status=Status.FAILED)
    unfollow(delivery)
    assert SEND_AGAIN.run("default", [delivery.pk]) == 1
    drain()
    assert state(delivery)[0] == Status.SKIPPED
    assert not mail_server.messages


@pytest.mark.parametrize(("limit", "status"), [(2, Status.LIMITED), (3, Status.SENT)])
def test_recipient_over_the_limit(
    limit: int,
    status: str,
    delivery: Delivery,
    mail_server: MailServer,
    drain: Drain,
    settings: Any,
) -> None:
    """A recipient who has had so many mails in the hour gets no other, and the record says so.

    Mails that are not sent don't count. Nor do those of others, and those before the hour.
    """
    settings.NOTIFICATIONS_MAILS_PER_HOUR = limit
    fay, hours = delivery.recipient, timedelta(hours=2)
    for number, each in enumerate(("sent", "pending", "skipped", "limited", "cancelled")):
        make_delivery(number, recipient=fay, status=each)
    make_delivery("another's", status=Status.SENT)
    make_delivery("old", recipient=fay, status=Status.SENT, created_at=timezone.now() - hours)
    Delivery.objects.filter(pk=delivery.pk).update(created_at=timezone.now())
    drain()
    assert state(delivery)[0] == status
    if status == Status.LIMITED:
        assert delivery.error == "Over the limit of 2 mails to one recipient in one hour."
        assert not mail_server.messages


@pytest.mark.parametrize("period", ["hour", "day"])
@pytest.mark.parametrize(("limit", "status"), [(2, Status.LIMITED), (3, Status.SENT)])
def test_as_many_as_the_limit(
    period: str,
    limit: int,
    status: str,
    delivery: Delivery,
    mail_server: MailServer,
    drain: Drain,
    settings: Any,
) -> None:
    """Each of the limits holds by itself, from the mail on that is one too many."""
    setattr(settings, f"NOTIFICATIONS_MAILS_PER_{period.upper()}", limit)
    for number in range(2):
        make_delivery(number, recipient=delivery.recipient, status=Status.SENT)
    Delivery.objects.filter(pk=delivery.pk).update(created_at=timezone.now())
    drain()
    assert state(delivery)[0] == status
    assert len(mail_server.messages) == (status == Status.SENT)


def test_statements(delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
    """A mail costs a handful of statements, however many are sent."""
    with CaptureQueriesContext(connection) as queries:
        send_delivery.run(delivery_id=delivery.pk)
    assert len(mail_server.messages) == 1
    assert len(queries) <= 8


def test_comment_by_the_author(mail_server: MailServer, drain: Drain) -> None:
    """A comment whose article went to its commenter meanwhile is not told of."""
    comment = CommentFactory()
    with patch("notifications.tasks.send"):
        drain()
    article = comment.article
    article.author = comment.user.author
    article.save()
    send_delivery.delay_on_commit(delivery_id=Delivery.objects.get().pk)
    drain()
    assert state(Delivery.objects.get())[0] == Status.SKIPPED
    assert not mail_server.messages
