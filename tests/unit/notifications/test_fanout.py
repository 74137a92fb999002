"""Who is told of what: the record of each mail, and what is sent of it."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.serializers import serialize
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from aftercommit.models import OutboxCall
from aftercommit.worker.summary import DrainSummary
from content.models import Article, Comment
from notifications import tasks
from notifications.models import Delivery, Follow
from tests.factories import (
    ArticleFactory,
    AuthorFactory,
    CategoryFactory,
    CommentFactory,
    UserFactory,
)
from tests.mailbox import MailServer

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Drain = Callable[[], DrainSummary]
Status = Delivery.Status


@pytest.fixture
def article() -> Article:
    """A draft in a category."""
    return ArticleFactory.create(title="On Signals", category=CategoryFactory.create())


@pytest.fixture
def follower(article: Article) -> User:
    """Somebody who follows the article's author."""
    user = UserFactory.create(username="fay")
    Follow.objects.create(user=user, author=article.author)
    return user


def publish(article: Article) -> None:
    """Publish the article."""
    article.is_published = True
    article.save()


class TestArticlePublished:
    def test_followers_of_author_and_category_are_told_once_each(
        self, article: Article, follower: User, mail_server: MailServer, drain: Drain
    ) -> None:
        """Whoever follows the author, the category or both gets one mail; nobody else gets any."""
        other, stranger = UserFactory.create(), UserFactory.create()
        for user in (other, follower):
            Follow.objects.create(user=user, category=article.category)
        Follow.objects.create(user=stranger, author=AuthorFactory.create())
        Follow.objects.create(user=stranger, category=CategoryFactory.create())
        publish(article)
        drain()
        addresses = sorted(message["To"] for message in mail_server.messages)
        assert addresses == sorted([follower.email, other.email])
        assert set(Delivery.objects.values_list("status", flat=True)) == {Status.SENT}

    def test_author_is_never_told(
        self, article: Article, mail_server: MailServer, drain: Drain
    ) -> None:
        """Not even an author who follows the category, or themselves."""
        Follow.objects.create(user=article.author.user, category=article.category)
        Follow.objects.create(user=article.author.user, author=article.author)
        publish(article)
        drain()
        assert not Delivery.objects.exists()
        assert not mail_server.messages

    def test_article_without_a_category(
        self, follower: User, article: Article, mail_server: MailServer, drain: Drain
    ) -> None:
        """Only the author's followers are told, not everybody who follows some author."""
        Follow.objects.create(user=UserFactory.create(), author=AuthorFactory.create())
        article.category = None
        publish(article)
        drain()
        assert [message["To"] for message in mail_server.messages] == [follower.email]

    def test_created_as_published(
        self, article: Article, follower: User, mail_server: MailServer, drain: Drain
    ) -> None:
        """An article that is published from the start is told of too."""
        ArticleFactory.create(author=article.author, published=True)
        drain()
        assert len(mail_server.sent_to(follower.email)) == 1

    def test_saved_again_is_not_told_again(
        self, article: Article, follower: User, mail_server: MailServer, drain: Drain
    ) -> None:
        """A published article that is edited says nothing."""
        publish(article)
        article.title = "Better"
        article.save()
        drain()
        assert len(mail_server.messages) == 1

    def test_rolled_back_publication_is_not_told(
        self, article: Article, follower: User, mail_server: MailServer, drain: Drain
    ) -> None:
        """What didn't happen is told to nobody."""
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            publish(article)
            raise ZeroDivisionError
        drain()
        assert not mail_server.messages

    def test_same_event_twice_is_told_once(
        self, article: Article, follower: User, mail_server: MailServer, drain: Drain
    ) -> None:
        """A call that is delivered again makes no second record and no second mail."""
        Article.objects.filter(pk=article.pk).update(status=Article.Status.PUBLISHED)
        for _ in range(2):
            tasks.notify_followers.delay_on_commit(article_id=article.pk)
            assert drain().retried == 0
        assert Delivery.objects.count() == len(mail_server.messages) == 1

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"email": ""}, "The recipient has no verified address."),
            ({"email": "another@example.com"}, "The recipient has no verified address."),
            ({"is_active": False}, "The recipient's account is inactive."),
        ],
    )
    def test_who_cannot_be_reached_is_recorded(
        self,
        values: dict[str, Any],
        reason: str,
        article: Article,
        follower: User,
        mail_server: MailServer,
        drain: Drain,
    ) -> None:
        """A follower without a usable address gets a skipped record with the reason, no call."""
        User.objects.filter(pk=follower.pk).update(**values)
        publish(article)
        with patch("notifications.tasks.send") as send:
            drain()
        assert not send.called
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.error, delivery.attempts) == (Status.SKIPPED, reason, 0)
        assert not mail_server.messages

    def test_article_that_is_gone_by_then(
        self, article: Article, follower: User, drain: Drain
    ) -> None:
        """Deleted or withdrawn before the task ran, it makes no records."""
        withdrawn = ArticleFactory.create(author=article.author, published=True)
        withdrawn.is_published = False
        withdrawn.save()
        publish(article)
        article.delete()
        drain()
        assert not Delivery.objects.exists()

    def test_many_followers_take_few_statements(self, article: Article) -> None:
        """Twelve hundred followers are recorded page by page, each once, with their calls."""
        users = User.objects.bulk_create(
            User(username=f"many{i}", email=f"many{i}@example.com") for i in range(1200)
        )
        Follow.objects.bulk_create(Follow(user=user, author=article.author) for user in users)
        EmailAddress.objects.bulk_create(
            EmailAddress(user=user, email=user.email, verified=True) for user in users
        )
        OutboxCall.objects.all().delete()
        Article.objects.filter(pk=article.pk).update(status=Article.Status.PUBLISHED)
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            tasks.notify_followers.run(article_id=article.pk)
        assert Delivery.objects.values("recipient").distinct().count() == 1200
        assert OutboxCall.objects.filter(task=tasks.send_delivery.name).count() == 1200
        stored = [
            each for each in queries if "aftercommit_outboxcall (id, task, payload" in each["sql"]
        ]
        assert len(stored) == 1
        assert len(queries) < 60


class TestCommentPosted:
    def test_author_is_told(self, mail_server: MailServer, drain: Drain) -> None:
        """The article's author gets a mail about a new comment, once."""
        comment = CommentFactory.create(text="Well said.", article__title="On Signals")
        comment.text = "Very well said."
        comment.save()
        assert OutboxCall.objects.filter(task=tasks.notify_comment_author.name).count() == 1
        drain()
        (message,) = mail_server.messages
        assert message["To"] == comment.article.author.user.email
        assert message["Subject"] == f"{comment.user.username} commented on “On Signals”"

    def test_fixtures_are_not_told(self, tmp_path: Path) -> None:
        """``loaddata`` restores comments; nobody posted them."""
        comment = CommentFactory.create()
        path = tmp_path / "fixture.json"
        path.write_text(serialize("json", [comment]))
        OutboxCall.objects.all().delete()
        Comment.objects.all()._raw_delete("default")
        call_command("loaddata", path, stdout=StringIO())
        assert Comment.objects.count() == 1
        assert not OutboxCall.objects.exists()

    def test_own_comment_is_not_told(self, mail_server: MailServer, drain: Drain) -> None:
        """Authors know what they said themselves."""
        article = ArticleFactory.create(published=True)
        CommentFactory.create(article=article, user=article.author.user)
        drain()
        assert not Delivery.objects.exists()

    def test_author_without_an_address(self, mail_server: MailServer, drain: Drain) -> None:
        """Nothing is sent, and the record says why."""
        CommentFactory.create(article__author__user__email="")
        drain()
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.error) == (
            Status.SKIPPED,
            "The recipient has no verified address.",
        )
        assert not mail_server.messages

    def test_same_comment_twice_is_told_once(self, mail_server: MailServer, drain: Drain) -> None:
        """A call that is delivered again makes no second mail."""
        comment = CommentFactory.create()
        tasks.notify_comment_author.delay_on_commit(comment_id=comment.pk)
        drain()
        assert Delivery.objects.count() == len(mail_server.messages) == 1

    def test_comment_that_is_gone_by_then(self, mail_server: MailServer, drain: Drain) -> None:
        """Deleted before the task ran, it makes no record."""
        comment = CommentFactory.create()
        Comment.objects.all().delete()
        drain()
        assert comment.article.comments.count() == Delivery.objects.count() == 0
