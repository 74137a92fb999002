"""From a web request to every effect: the site, a broker, a worker, a mail server."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aftercommit.models import OutboxCall
from aftercommit.outbox.wake import flush_wake_ups
from audit.models import AuditLog
from content.models import Article, Author, Category, Product
from core.stack.waiting import wait_until
from notifications.models import Delivery, Follow
from tests.celery_engine.broker import Broker
from tests.factories import ArticleFactory, CategoryFactory, UserFactory
from tests.integration.outbox.conftest import StartWorker
from tests.mailbox import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 30


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """The mail server that the worker is told of."""
    with MailServer() as server:
        yield server


@pytest.fixture
def writer(client: Client) -> User:
    """Who is logged in."""
    user: User = UserFactory(username="mara")
    client.force_login(user)
    return user


def start(start_worker: StartWorker, mail: MailServer) -> None:
    """A worker that sends its mails to the mail server."""
    start_worker(concurrency=2, env={"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail.port)})


def follow(user: User, **what: Any) -> None:
    """Have the user follow an author or a category."""
    Follow.objects.create(user=user, **what)


def wait_at_rest() -> None:
    """Wait until every call is settled."""
    rows = OutboxCall.objects.values_list("task", "status", "error")
    wait_until(lambda: not rows.exists(), TIMEOUT, lambda: f"an empty outbox; it has {list(rows)}")


def draft_of(user: User, **values: Any) -> Article:
    """A draft of the user's."""
    article: Article = ArticleFactory(author=user.author, title="On commits", **values)
    return article


def test_publish(client: Client, writer: User, start_worker: StartWorker, mail: MailServer) -> None:
    """A publication is audited, counted and told to each follower, once."""
    category: Category = CategoryFactory()
    article = draft_of(writer, category=category)
    readers: list[User] = UserFactory.create_batch(5)
    for reader in readers:
        follow(reader, author=writer.author)
    follow(readers[0], category=category)
    start(start_worker, mail)

    response = client.post(reverse("article-publish", args=[article.slug]))
    assert response.status_code == 302
    client.get(article.get_absolute_url())
    client.get(article.get_absolute_url())
    wait_at_rest()

    assert sorted(message["To"] for message in mail.messages) == sorted(u.email for u in readers)
    assert all("On commits" in message["Subject"] for message in mail.messages)
    assert set(Delivery.objects.values_list("status", flat=True)) == {Delivery.Status.SENT}
    entry = AuditLog.objects.for_object(article).get(action=AuditLog.Action.UPDATE)
    assert entry.changes == {"status": {"old": "draft", "new": "published"}}
    request_id = response["X-Request-ID"]
    assert (entry.user, entry.user_label, entry.request_id) == (writer, "mara", request_id)
    assert Author.objects.get(pk=writer.author.pk).article_count == 1
    assert Category.objects.get(pk=category.pk).article_count == 1
    article.refresh_from_db()
    assert article.view_count == 2


def test_publish_costs_one_insert(client: Client, writer: User) -> None:
    """Of all that follows from a publication, the request pays for one INSERT."""
    article = draft_of(writer)
    address = reverse("article-publish", args=[article.slug])
    with CaptureQueriesContext(connection) as queries:
        client.post(address)
    writes = [
        query["sql"].split()[2].strip('"')
        for query in queries
        if query["sql"].strip().startswith("INSERT")
    ]
    assert writes == ["aftercommit_outboxcall"]
    assert OutboxCall.objects.filter(task="notifications.tasks.notify_followers").count() == 1
    assert OutboxCall.objects.filter(task="audit.tasks.write_audit_logs").exists()


@pytest.mark.parametrize("fault", ["stopped", "black hole"])
def test_publish_without_broker(
    client: Client,
    writer: User,
    start_worker: StartWorker,
    mail: MailServer,
    broker: Broker,
    fault: str,
) -> None:
    """With the broker gone a request neither fails nor waits; all arrives once it is back."""
    article = draft_of(writer)
    reader: User = UserFactory()
    follow(reader, author=writer.author)
    start(start_worker, mail)
    wait_at_rest()

    broker.stop() if fault == "stopped" else broker.pause()
    assert client.post(reverse("article-publish", args=[article.slug])).status_code == 302
    assert client.get(article.get_absolute_url()).status_code == 200
    if fault == "black hole":
        assert not flush_wake_ups(0.01)  # a thread still waits for the broker; the requests didn't
    assert OutboxCall.objects.filter(task="notifications.tasks.notify_followers").exists()
    assert mail.messages == []

    broker.restore()
    wait_at_rest()
    assert [message["To"] for message in mail.messages] == [reader.email]
    article.refresh_from_db()
    assert article.view_count == 1


def test_failed_request(
    client: Client, writer: User, start_worker: StartWorker, mail: MailServer
) -> None:
    """A request that fails after its changes leaves no effect of them."""
    article = draft_of(writer)
    start(start_worker, mail)
    wait_at_rest()
    entries = AuditLog.objects.count()
    client.raise_request_exception = False

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("after the save")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("content.views.articles.messages.success", fail)
        response = client.post(reverse("article-publish", args=[article.slug]))
    assert response.status_code == 500
    Product.objects.create(name="a later change", price=1)
    wait_until(lambda: AuditLog.objects.count() > entries, TIMEOUT, "the later change's entry")
    wait_at_rest()
    assert AuditLog.objects.count() == entries + 1
    article.refresh_from_db()
    assert not article.is_published
