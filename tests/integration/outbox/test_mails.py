"""Mails by real workers and real SMTP conversations: what is sent, and what isn't any more."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.urls import reverse

from aftercommit.models import OutboxCall
from content.models import Article
from core.accounts.addresses import mark_verified
from core.stack.waiting import wait_until
from notifications.models import Delivery, Follow
from tests.factories import ArticleFactory, UserFactory
from tests.integration.outbox.conftest import StartWorker
from tests.mailbox import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 30
Status = Delivery.Status


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """The mail server that the workers are told of."""
    with MailServer() as server:
        yield server


@pytest.fixture
def article() -> Article:
    """A draft, whose author has two followers."""
    made: Article = ArticleFactory(author=UserFactory(username="mara").author)
    for name in ("fay", "ben"):
        Follow.objects.create(user=UserFactory(username=name), author=made.author)
    return made


def start(start_worker: StartWorker, mail: MailServer) -> None:
    """Start two processes that send their mails to the mail server."""
    start_worker(concurrency=2, env={"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail.port)})


def wait_for(task: str, count: int) -> None:
    """Wait until so many calls are in the outbox, all of this task."""

    def waiting() -> list[str]:
        return [*OutboxCall.objects.values_list("task", flat=True)]

    name = f"notifications.tasks.{task}"
    awaited = lambda: f"{count} calls of {name}; there are {waiting()}"  # noqa: E731
    wait_until(lambda: waiting() == [name] * count, TIMEOUT, awaited)


def pass_time(by: timedelta) -> None:
    """Have the calls in the outbox be due so much earlier."""
    OutboxCall.objects.update(available_at=F("available_at") - by)


def postpone() -> int:
    """Have the calls that nobody runs be due a day later. Return how many they are."""
    pending = OutboxCall.objects.filter(status=OutboxCall.Status.PENDING)
    return pending.update(available_at=F("available_at") + timedelta(days=1))


def wait_at_rest() -> None:
    """Wait until every call is settled."""
    rows = OutboxCall.objects.values_list("task", "status", "error")
    wait_until(lambda: not rows.exists(), TIMEOUT, lambda: f"an empty outbox; it has {list(rows)}")


def test_retried_mail_and_one_click(
    client: Client, article: Article, start_worker: StartWorker, mail: MailServer
) -> None:
    """A mail that the server puts off goes to the address of then, or nowhere after a click.

    Both followers' mails are put off. One of them has ended such mails by one click by then, and
    the other has verified another address.
    """
    mail.answer("RCPT", "450 mailbox busy", times=1000)
    start(start_worker, mail)
    client.force_login(article.author.user)
    client.post(reverse("article-publish", args=[article.slug]))
    put_off = Delivery.objects.filter(status=Status.PENDING, attempts__gt=0)
    wait_until(lambda: put_off.count() == 2, TIMEOUT, "two mails that were put off")
    wait_until(lambda: postpone() == 2, TIMEOUT, "two calls that wait for their next attempt")
    assert mail.messages == []

    fay, ben = (User.objects.get(username=name) for name in ("fay", "ben"))
    Follow.objects.filter(user=fay).delete()
    ben.email = "ben@new.example.com"
    ben.save()
    mark_verified(ben)
    mail.recover()
    pass_time(timedelta(days=1000))
    wait_at_rest()

    (message,) = mail.messages
    assert message["To"] == "ben@new.example.com"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    skipped = Delivery.objects.get(recipient=fay)
    assert (skipped.status, skipped.error) == (
        Status.SKIPPED,
        "The recipient no longer follows the author or the category.",
    )
    link = urlsplit(message["List-Unsubscribe"].strip().strip("<>")).path
    response = Client(enforce_csrf_checks=True).post(link, {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert not Follow.objects.filter(user=ben).exists()


@pytest.mark.slow
def test_comments_are_one_mail(
    client: Client, article: Article, start_worker: StartWorker, mail: MailServer
) -> None:
    """Ten comments by forms are one mail to the author, by two worker processes."""
    Article.objects.filter(pk=article.pk).update(status=Article.Status.PUBLISHED)
    start(start_worker, mail)
    client.force_login(User.objects.get(username="fay"))
    for number in range(10):
        form = {"text": f"Number {number}."}
        client.post(reverse("comment-create", args=[article.slug]), form)
    wait_for("send_delivery", 1)
    assert mail.messages == []
    pass_time(timedelta(minutes=10))
    wait_at_rest()
    (message,) = mail.messages
    assert message["To"] == "mara@example.com"
    assert message["Subject"].strip().startswith("10 comments on ")
