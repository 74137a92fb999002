"""When followers are told of an article: once, and again only if its author asks after a day."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from aftercommit import context
from aftercommit.worker.drain import drain_all
from aftercommit.worker.summary import DrainSummary
from content.models import Article
from notifications.models import Announcement, Delivery, Follow
from notifications.tasks import notify_followers
from tests.connections import at_once
from tests.factories import ArticleFactory, UserFactory, user_with
from tests.mailbox import MailServer

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Drain = Callable[[], DrainSummary]
PassTime = Callable[[timedelta], None]
Status = Delivery.Status

DAY = timedelta(days=1)


@pytest.fixture
def article() -> Article:
    """A draft with one follower."""
    made: Article = ArticleFactory(title="On Signals")
    Follow.objects.create(user=UserFactory(username="fay"), author=made.author)
    return made


@pytest.fixture
def browser(article: Article, client: Client) -> Client:
    """The author's browser."""
    client.force_login(article.author.user)
    return client


def publish(article: Article, again: bool = False) -> None:
    """Publish the article, and say whether followers are to be told again."""
    article.is_published, article.tell_again = True, again
    article.save()


def withdraw(article: Article) -> None:
    """Make it a draft."""
    article.is_published = False
    article.save()


class TestOnce:
    """An article that is published again."""

    def test_toggled(self, article: Article, mail_server: MailServer, drain: Drain) -> None:
        """Ten publications are one mail, however much later the others come."""
        for _ in range(10):
            publish(article)
            drain()
            withdraw(article)
        assert len(mail_server.messages) == 1

    def test_toggled_before_a_worker_looks(
        self, article: Article, mail_server: MailServer, drain: Drain
    ) -> None:
        """So are ten whose calls run in one batch."""
        for _ in range(10):
            publish(article)
            withdraw(article)
        publish(article)
        drain()
        drain()
        assert len(mail_server.messages) == 1

    def test_new_follower(self, article: Article, mail_server: MailServer, drain: Drain) -> None:
        """Who follows later isn't told of an article that was published before."""
        publish(article)
        drain()
        Follow.objects.create(user=UserFactory(username="new"), author=article.author)
        withdraw(article)
        publish(article)
        drain()
        assert [message["To"] for message in mail_server.messages] == ["fay@example.com"]

    def test_record_outlives_deliveries(
        self, article: Article, mail_server: MailServer, drain: Drain
    ) -> None:
        """Also not once the deliveries are deleted."""
        publish(article)
        drain()
        Delivery.objects.all().delete()
        withdraw(article)
        publish(article)
        drain()
        assert len(mail_server.messages) == 1

    def test_two_workers(self, article: Article, mail_server: MailServer, drain: Drain) -> None:
        """Two workers that run two publications at once tell of one."""
        Article.objects.filter(pk=article.pk).update(status=Article.Status.PUBLISHED)

        def tell() -> None:
            with transaction.atomic():
                notify_followers.run(article_id=article.pk)

        at_once(tell, tell, tell)
        drain()
        assert (Delivery.objects.count(), len(mail_server.messages)) == (1, 1)
        assert Announcement.objects.get().round == 1


class TestAgain:
    """An author who asks to have followers told again."""

    @pytest.mark.parametrize(
        ("asked", "after", "mails"),
        [
            (True, DAY, 2),
            (True, DAY / 2, 1),
            (False, DAY * 30, 1),
        ],
    )
    def test_needs_a_day_and_the_question(
        self,
        asked: bool,
        after: timedelta,
        mails: int,
        article: Article,
        mail_server: MailServer,
        drain: Drain,
        pass_time: PassTime,
    ) -> None:
        """It takes both."""
        publish(article)
        drain()
        pass_time(after)
        withdraw(article)
        publish(article, again=asked)
        drain()
        assert len(mail_server.messages) == mails
        assert len({message["Message-ID"] for message in mail_server.messages}) == mails

    def test_day_begins_anew(
        self, article: Article, mail_server: MailServer, drain: Drain, pass_time: PassTime
    ) -> None:
        """After the second telling the third needs another day."""
        publish(article)
        drain()
        pass_time(DAY)
        for _ in range(3):
            withdraw(article)
            publish(article, again=True)
            drain()
        assert len(mail_server.messages) == 2

    def test_two_workers(
        self, article: Article, mail_server: MailServer, drain: Drain, pass_time: PassTime
    ) -> None:
        """Two workers that are asked at once tell once more, not twice."""
        publish(article)
        drain()
        pass_time(DAY)

        def tell() -> None:
            with transaction.atomic():
                notify_followers.run(article_id=article.pk, again=True)

        at_once(tell, tell)
        drain()
        assert (Announcement.objects.get().round, len(mail_server.messages)) == (2, 2)

    def test_box(
        self, browser: Client, article: Article, drain: Drain, pass_time: PassTime
    ) -> None:
        """The page has no box the first time, says when it comes, and has it after a day."""
        page = article.get_absolute_url()
        assert "tell_again" not in browser.get(page).content.decode()
        publish(article)
        drain()
        withdraw(article)
        text = browser.get(page).content.decode()
        assert "Publishing this again tells nobody." in text
        assert "tell_again" not in text
        pass_time(DAY)
        for address in (page, reverse("article-edit", args=[article.slug])):
            assert 'name="tell_again"' in browser.get(address).content.decode()

    @pytest.mark.parametrize("page", ["publish", "edit"])
    @pytest.mark.parametrize("box", [{}, {"tell_again": "yes"}])
    def test_forms(
        self,
        page: str,
        box: dict[str, str],
        browser: Client,
        article: Article,
        mail_server: MailServer,
        drain: Drain,
        pass_time: PassTime,
    ) -> None:
        """Both forms that publish hand the box on."""
        publish(article)
        drain()
        withdraw(article)
        pass_time(DAY)
        form = {"title": "On Signals", "content": "Text.", "status": "published"}
        browser.post(reverse(f"article-{page}", args=[article.slug]), form | box)
        drain()
        assert len(mail_server.messages) == (2 if box else 1)


class TestWhom:
    """Who is not told."""

    def test_inactive_author(self, article: Article, drain: Drain) -> None:
        """Nobody is told by an author whose account is inactive."""
        User.objects.filter(author=article.author).update(is_active=False)
        publish(article)
        drain()
        assert not Delivery.objects.exists()

    def test_muted(self, article: Article, drain: Drain) -> None:
        """Who doesn't want such mails gets no record of one. Another kind is another matter."""
        fay = User.objects.get(username="fay")
        fay.mutes.create(kind="comment_posted")
        other: User = UserFactory()
        other.mutes.create(kind="article_published")
        Follow.objects.create(user=other, author=article.author)
        publish(article)
        drain()
        assert [each.recipient for each in Delivery.objects.all()] == [fay]

    def test_unverified(self, article: Article, mail_server: MailServer, drain: Drain) -> None:
        """An address that nobody verified gets nothing, and the record says so."""
        stranger = UserFactory(verified=False)
        Follow.objects.create(user=stranger, author=article.author)
        publish(article)
        drain()
        delivery = Delivery.objects.get(recipient=stranger)
        reason = "The recipient has no verified address."
        assert (delivery.status, delivery.address, delivery.error) == (Status.SKIPPED, "", reason)
        assert not mail_server.sent_to(stranger.email)

    def test_publisher(self, article: Article, mail_server: MailServer, drain: Drain) -> None:
        """Who publishes somebody else's article isn't told of it, though they follow."""
        editor = user_with("change_article")
        Follow.objects.create(user=editor, author=article.author)
        with context.use(context.Context.of_user(editor)):
            publish(article)
        drain()
        assert [message["To"] for message in mail_server.messages] == ["fay@example.com"]


class TestLimits:
    """An author who publishes more than is told of."""

    def test_over_the_limit(
        self,
        article: Article,
        mail_server: MailServer,
        drain: Drain,
        pass_time: PassTime,
        settings: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Articles are counted, and not their mails. One that is over can be told of later."""
        settings.NOTIFICATIONS_ARTICLES_PER_HOUR = 2
        Follow.objects.create(user=UserFactory(), author=article.author)
        for _ in range(3):
            ArticleFactory(author=article.author, published=True)
            drain()
        publish(article)
        with caplog.at_level(logging.WARNING):
            drain()
        assert len(mail_server.messages) == 4
        limited = Delivery.objects.get(status=Status.LIMITED)
        assert limited.recipient is None
        assert "Over the limit of 2 articles of one author" in limited.error
        assert "Over the limit of 2 articles of one author" in caplog.text
        withdraw(article)
        pass_time(timedelta(hours=1))
        publish(article)
        drain()
        assert len(mail_server.messages) == 6

    def test_limit_of_a_day(
        self, article: Article, drain: Drain, pass_time: PassTime, settings: Any
    ) -> None:
        """The limit of a day holds beside that of an hour."""
        settings.NOTIFICATIONS_ARTICLES_PER_DAY = 2
        for _ in range(3):
            ArticleFactory(author=article.author, published=True)
            drain()
            pass_time(timedelta(hours=2))
        assert Announcement.objects.count() == 2
        assert "in one day" in Delivery.objects.get(status=Status.LIMITED).error

    def test_deleted_articles_count(self, article: Article, drain: Drain, settings: Any) -> None:
        """An author can't make room by deleting."""
        settings.NOTIFICATIONS_ARTICLES_PER_HOUR = 1
        other = ArticleFactory(author=article.author, published=True)
        drain()
        other.delete()
        publish(article)
        drain()
        assert not Announcement.objects.filter(article=article).exists()

    def test_other_authors(self, article: Article, drain: Drain, settings: Any) -> None:
        """One author's limit is nobody else's."""
        settings.NOTIFICATIONS_ARTICLES_PER_HOUR = 1
        ArticleFactory(published=True)
        publish(article)
        drain()
        assert Announcement.objects.count() == 2


def test_call_of_an_earlier_version(article: Article, mail_server: MailServer) -> None:
    """A call that was stored before the update runs after it."""
    Article.objects.filter(pk=article.pk).update(status=Article.Status.PUBLISHED)
    notify_followers.delay_on_commit(article_id=article.pk, event_id="0123456789abcdef")
    drain_all()
    drain_all()
    assert len(mail_server.messages) == 1
