"""Comments to one author, gathered in one mail."""

import logging
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from content.models import Article, Comment
from notifications import digests
from notifications.models import CommentDigest, Delivery, GatheredComment, Kind
from notifications.operations import CANCEL
from notifications.tasks import notify_comment_author, send_delivery
from tests.connections import at_once
from tests.factories import ArticleFactory, CommentFactory, UserFactory
from tests.mailbox import MailServer
from tests.unit.notifications.made import make_delivery

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

PassTime = Callable[[timedelta], None]
Status = Delivery.Status

TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def article() -> Article:
    """A published article by ada."""
    made: Article = ArticleFactory(
        author=UserFactory(username="ada").author, title="On Signals", published=True
    )
    drain_all()
    return made


def comment(article: Article, text: str = "Well said.", **fields: Any) -> Comment:
    """Comment on the article, and have a worker look."""
    made: Comment = CommentFactory(article=article, text=text, **fields)
    drain_all()
    return made


def texts(message: EmailMessage) -> list[str]:
    """Return what the mail says, as plain text and as HTML."""
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    return [str(body.get_content()) for body in bodies if body is not None]


class TestWindow:
    """The ten minutes after the first comment."""

    def test_thirty_are_one_mail(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """Thirty comments are one mail, after ten minutes and not before."""
        commenter = UserFactory(username="tom")
        for number in range(30):
            comment(article, f"Number {number}.", user=commenter)
        pass_time(TEN_MINUTES / 2)
        drain_all()
        assert mail_server.messages == []
        pass_time(TEN_MINUTES / 2)
        drain_all()
        (message,) = mail_server.messages
        assert message["Subject"] == "30 comments on “On Signals”"
        for text in texts(message):
            assert "Number 0." in text
            assert "Number 19." in text
            assert "Number 20." not in text
            assert "… and 10 more." in text
        assert set(Delivery.objects.values_list("status", flat=True)) == {Status.SENT}

    def test_next_window(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """A comment after the mail begins another, which has none of the first."""
        comment(article, "First.")
        pass_time(TEN_MINUTES)
        drain_all()
        comment(article, "Second.")
        pass_time(TEN_MINUTES)
        drain_all()
        _, second = mail_server.messages
        for text in texts(second):
            assert "Second." in text
            assert "First." not in text

    def test_several_articles(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """All of an author's articles are in one mail. Another author gets another mail."""
        other = ArticleFactory(author=article.author, title="On Commits", published=True)
        foreign = ArticleFactory(published=True)
        for each in (article, other, foreign):
            comment(each, f"About {each.title}.")
        pass_time(TEN_MINUTES)
        drain_all()
        assert len(mail_server.messages) == 2
        (message,) = mail_server.sent_to("ada@example.com")
        assert message["Subject"] == "2 comments on your articles"
        for text in texts(message):
            assert "About On Signals." in text
            assert "About On Commits." in text
            assert f"About {foreign.title}." not in text

    def test_setting(
        self, article: Article, mail_server: MailServer, pass_time: PassTime, settings: Any
    ) -> None:
        """``NOTIFICATIONS_DIGEST_SECONDS`` is the window."""
        settings.NOTIFICATIONS_DIGEST_SECONDS = 3600
        comment(article)
        pass_time(timedelta(minutes=30))
        drain_all()
        assert mail_server.messages == []
        pass_time(timedelta(minutes=30))
        drain_all()
        assert len(mail_server.messages) == 1


class TestAtSending:
    """What has happened to the comments meanwhile."""

    def test_deleted(self, article: Article, mail_server: MailServer, pass_time: PassTime) -> None:
        """A comment that was deleted isn't told of. The others are."""
        comment(article, "It stays.", user__username="tom")
        comment(article, "It goes.").delete()
        pass_time(TEN_MINUTES)
        drain_all()
        (message,) = mail_server.messages
        assert message["Subject"] == "tom commented on “On Signals”"
        assert not any("It goes." in text for text in texts(message))

    def test_hidden(self, article: Article, mail_server: MailServer, pass_time: PassTime) -> None:
        """Nor is one on an article that isn't published any more, or by an inactive user."""
        hidden = ArticleFactory(author=article.author, published=True)
        comment(hidden, "On a draft.")
        comment(article, "By a spammer.", user__username="spam")
        comment(article, "It stays.")
        Article.objects.filter(pk=hidden.pk).update(status=Article.Status.DRAFT)
        User.objects.filter(username="spam").update(is_active=False)
        pass_time(TEN_MINUTES)
        drain_all()
        (message,) = mail_server.messages
        for text in texts(message):
            assert "It stays." in text
            assert "On a draft." not in text
            assert "By a spammer." not in text

    def test_none_left(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """Without any comment there is no mail, and the record says why."""
        comment(article).delete()
        pass_time(TEN_MINUTES)
        drain_all()
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.error) == (
            Status.SKIPPED,
            "No comment is left to tell of.",
        )
        assert mail_server.conversations == 0

    def test_retried(self, article: Article, mail_server: MailServer, pass_time: PassTime) -> None:
        """A comment while the first mail is tried again goes into the next one."""
        mail_server.answer("RCPT", "450 mailbox busy")
        comment(article, "First.")
        pass_time(TEN_MINUTES)
        drain_all()
        comment(article, "Second.")
        pass_time(timedelta(hours=1))
        drain_all()
        assert len(mail_server.messages) == 2
        for word, other in (("First.", "Second."), ("Second.", "First.")):
            bodies = [texts(message)[0] for message in mail_server.messages]
            (body,) = [each for each in bodies if word in each]
            assert other not in body

    def test_delivery_of_an_earlier_version(
        self, article: Article, mail_server: MailServer
    ) -> None:
        """A mail that was recorded before the update tells of its one comment."""
        made = comment(article, "From before.")
        GatheredComment.objects.all().delete()
        CommentDigest.objects.all().delete()
        delivery = Delivery.objects.get()
        assert delivery.comment == made
        send_delivery.delay_on_commit(delivery_id=delivery.pk)
        drain_all()
        assert "From before." in texts(mail_server.messages[0])[0]


class TestExactlyOnce:
    """Two workers, and those that die."""

    @pytest.mark.parametrize("first", [True, False])
    def test_several_workers(
        self,
        first: bool,
        article: Article,
        mail_server: MailServer,
        pass_time: PassTime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Workers that gather comments to one author at once begin one mail.

        That holds for an author's first mail, and for one whose row is there already.
        """
        if not first:
            CommentDigest.objects.create(recipient=article.author.user)
        monkeypatch.setattr(notify_comment_author, "batch_size", 1)
        CommentFactory.create_batch(6, article=article)
        at_once(drain_all, drain_all, drain_all)
        # MariaDB has one of them wait for its next attempt, if they lock the row at once.
        waiting = OutboxCall.objects.filter(task=notify_comment_author.name)
        while waiting.exists():
            waiting.update(available_at=Now())
            drain_all()
        assert Delivery.objects.count() == 1
        pass_time(TEN_MINUTES)
        drain_all()
        (message,) = mail_server.messages
        assert message["Subject"] == "6 comments on “On Signals”"

    def test_delivered_twice(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """A comment that is called of twice is told of once, also after the mail."""
        made = comment(article)
        for _ in range(2):
            notify_comment_author.delay_on_commit(comment_id=made.pk)
            drain_all()
            pass_time(TEN_MINUTES)
            drain_all()
        assert len(mail_server.messages) == 1
        assert not OutboxCall.objects.exists()

    def test_killed_worker(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """A worker that dies in it leaves nothing, and the next one gathers all."""

        class Died(SystemExit):
            pass

        CommentFactory.create_batch(3, article=article)
        with patch("notifications.tasks.have_sent", side_effect=Died), pytest.raises(Died):
            drain_all()
        assert not Delivery.objects.exists()
        OutboxCall.objects.update(status=OutboxCall.Status.PENDING)
        drain_all()
        pass_time(TEN_MINUTES)
        drain_all()
        assert len(mail_server.messages) == 1

    def test_comment_while_the_mail_is_closed(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """A comment that comes as the mail is about to be sent is in this mail or in the next."""
        comment(article, "First.")
        pass_time(TEN_MINUTES)

        def send(delivery: Delivery) -> None:
            comment(article, "Second.")

        with patch("notifications.tasks.send", send):
            drain_all()
        first, second = Delivery.objects.order_by("pk")
        assert [row.comment.text for row in first.gathered.all()] == ["First."]
        assert [row.comment.text for row in second.gathered.all()] == ["Second."]

    def test_cancelled(
        self, article: Article, mail_server: MailServer, pass_time: PassTime
    ) -> None:
        """A comment after a person cancelled the mail begins another mail."""
        comment(article, "First.")
        assert CANCEL.run("default", [Delivery.objects.get().pk]) == 1
        comment(article, "Second.")
        pass_time(TEN_MINUTES)
        drain_all()
        (message,) = mail_server.messages
        assert "First." not in texts(message)[0]


class TestLimits:
    """Somebody who comments more than is told of, and somebody who gets more than they should."""

    def test_commenter(
        self,
        article: Article,
        mail_server: MailServer,
        pass_time: PassTime,
        settings: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The first ones are told of. One record says that others were over the limit."""
        settings.NOTIFICATIONS_COMMENTS_PER_HOUR = 3
        tom = UserFactory()
        for number in range(4):
            CommentFactory(article=article, text=f"Number {number}.", user=tom)
        with caplog.at_level(logging.WARNING):
            drain_all()
            comment(article, "Number 4.", user=tom)
        comment(article, "By another.")
        pass_time(TEN_MINUTES)
        drain_all()
        (message,) = mail_server.messages
        text = texts(message)[0]
        assert [f"Number {n}." in text for n in range(5)] == [True] * 3 + [False] * 2
        assert "By another." in text
        limited = Delivery.objects.get(status=Status.LIMITED)
        assert limited.error.startswith(f"user #{tom.pk}: Over the limit of 3 comments of one user")
        assert "Over the limit of 3 comments of one user" in caplog.text

    def test_commenter_later(
        self, article: Article, mail_server: MailServer, pass_time: PassTime, settings: Any
    ) -> None:
        """After an hour there is room again, within the limit of a day."""
        settings.NOTIFICATIONS_COMMENTS_PER_HOUR = 1
        settings.NOTIFICATIONS_COMMENTS_PER_DAY = 2
        tom = UserFactory()
        for _ in range(4):
            comment(article, user=tom)
            pass_time(timedelta(hours=1))
            drain_all()
        assert len(mail_server.messages) == 2

    def test_recipient(
        self, article: Article, mail_server: MailServer, pass_time: PassTime, settings: Any
    ) -> None:
        """The mail waits and gathers on while its recipient has had too many."""
        settings.NOTIFICATIONS_MAILS_PER_HOUR = 1
        ada = article.author.user
        make_delivery("other", recipient=ada, status=Status.SENT)
        comment(article, "First.")
        pass_time(TEN_MINUTES)
        drain_all()
        delivery = Delivery.objects.get(kind=Kind.COMMENT_POSTED)
        assert delivery.status == Status.PENDING
        assert delivery.error == "Waits. Over the limit of 1 mails to one recipient in one hour."
        comment(article, "Second.")
        pass_time(timedelta(hours=1))
        drain_all()
        (message,) = mail_server.messages
        assert message["Subject"] == "2 comments on “On Signals”"


def test_unreachable(article: Article, mail_server: MailServer, pass_time: PassTime) -> None:
    """An author without a verified address gets nothing, and the record says why."""
    article.author.user.emailaddress_set.update(verified=False)
    comment(article)
    pass_time(TEN_MINUTES)
    drain_all()
    delivery = Delivery.objects.get()
    reason = "The recipient has no verified address."
    assert (delivery.status, delivery.error) == (Status.SKIPPED, reason)
    assert mail_server.conversations == 0


def test_many_comments_take_few_statements(
    article: Article, django_assert_max_num_queries: Any
) -> None:
    """A batch of comments to one author takes as many statements as one comment."""
    made = [CommentFactory(article=article) for _ in range(40)]
    with transaction.atomic(), django_assert_max_num_queries(16):
        (delivery,) = digests.gather([each.pk for each in made])
    assert delivery.gathered.count() == 40
