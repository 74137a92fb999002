"""What becomes of a mail, whatever the server, the network or the worker do."""

import datetime
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings

from aftercommit.models import OutboxCall
from aftercommit.worker.summary import DrainSummary
from content.models import Article, Comment
from notifications import sending
from notifications.models import Delivery, Follow
from notifications.smtp import EmailBackend
from notifications.tasks import send_delivery
from tests.factories import ArticleFactory, CommentFactory, UserFactory
from tests.mailbox import HANG_UP, MailServer, mail_goes_to

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], DrainSummary]
Status = Delivery.Status


class Died(SystemExit):
    """Stands for a worker that is gone: nothing catches it."""


@pytest.fixture
def delivery(drain: Drain) -> Delivery:
    """A mail that is due, to fay@example.com, about a published article."""
    article = ArticleFactory.create()
    follower = UserFactory.create(username="fay", email="fay@example.com")
    Follow.objects.create(user=follower, author=article.author)
    article.is_published = True
    with patch("notifications.tasks.send"):  # record it, and send it in the test
        article.save()
        drain()
    made = Delivery.objects.get()
    enqueue(made)
    return made


def enqueue(delivery: Delivery) -> None:
    """Have the delivery sent by the next drain."""
    send_delivery.delay_on_commit(delivery_id=delivery.pk)


def state(delivery: Delivery) -> tuple[str, int, str]:
    """The status, the number of attempts and the error, as stored."""
    delivery.refresh_from_db()
    return delivery.status, delivery.attempts, delivery.error


def waiting() -> int:
    """How many calls are still to be done."""
    return OutboxCall.objects.filter(status=OutboxCall.Status.PENDING).count()


class TestSent:
    def test_success(self, delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
        """A mail is sent once, under the Message-ID on record, and marked."""
        drain()
        drain()
        (message,) = mail_server.messages
        assert message["To"] == "fay@example.com"
        assert message["Message-ID"] == delivery.message_id
        assert state(delivery) == (Status.SENT, 1, "")
        assert delivery.sent_at is not None
        assert waiting() == 0

    def test_called_again_sends_nothing(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """A call that is delivered again, after the mail went out, does nothing."""
        drain()
        enqueue(delivery)
        drain()
        assert len(mail_server.messages) == 1

    def test_delivery_that_is_gone(self, mail_server: MailServer, drain: Drain) -> None:
        """A call for a record that was deleted is done."""
        enqueue(Delivery(pk=4711))
        assert drain().settled == 1
        assert not mail_server.messages

    def test_server_that_hangs_up_after_accepting(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Trouble after the server's "250" changes nothing: the mail was sent."""
        real = EmailBackend.close

        def close_and_fail(backend: Any) -> None:
            real(backend)
            raise OSError("reset")

        with patch.object(EmailBackend, "close", close_and_fail):
            drain()
        drain()
        assert state(delivery)[0] == Status.SENT
        assert len(mail_server.messages) == 1


class TestTransient:
    @pytest.mark.parametrize(
        ("command", "reply"),
        [
            ("MAIL", "451 later"),
            ("RCPT", "450 mailbox busy"),
            ("RCPT", "452 too many recipients"),
            ("DATA", "451 greylisted"),
            ("MAIL", "550 sender not allowed"),
            ("MAIL", HANG_UP),
            ("RCPT", HANG_UP),
        ],
    )
    def test_is_sent_by_the_next_attempt(
        self, command: str, reply: str, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """A reply that may change, and a break before the message, put the mail off."""
        mail_server.answer(command, reply)
        assert drain().retried == 1
        status, attempts, error = state(delivery)
        assert (status, attempts) == (Status.PENDING, 1)
        assert error
        drain()
        assert state(delivery) == (Status.SENT, 2, "")
        assert [m["Message-ID"] for m in mail_server.messages] == [delivery.message_id]

    def test_connection_refused_is_never_unconfirmed(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """While no server listens the mail stays pending, with the error; then it goes."""
        with MailServer() as closed:
            port = closed.port
        with mail_goes_to(port):
            for attempts in (1, 2):
                assert drain().retried == 1
                status, tried, error = state(delivery)
                assert (status, tried) == (Status.PENDING, attempts)
                assert error.startswith("ConnectionRefusedError")
        drain()
        assert state(delivery) == (Status.SENT, 3, "")

    def test_server_that_cannot_do_what_is_configured(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """A connection that fails while it is set up leaves the mail pending, and is closed."""
        with mail_goes_to(mail_server.port, use_tls=True):
            assert drain().retried == 1
        status, _, error = state(delivery)
        assert (status, error.partition(":")[0]) == (Status.PENDING, "SMTPNotSupportedError")

    def test_dead_letter_keeps_the_error_and_can_be_replayed(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """When the outbox gives up, the delivery shows why; a replay sends it."""
        tries = (send_delivery.max_retries or 0) + 1
        mail_server.answer("RCPT", "450 mailbox busy", times=tries)
        reports = [drain() for _ in range(tries)]
        assert [report.dead for report in reports] == [0] * (tries - 1) + [1]
        status, attempts, error = state(delivery)
        assert (status, attempts) == (Status.PENDING, tries)
        assert "mailbox busy" in error
        OutboxCall.objects.update(status=OutboxCall.Status.PENDING)
        drain()
        assert state(delivery)[0] == Status.SENT

    def test_broken_template_is_not_a_mail_in_doubt(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """An error of ours is recorded, and tried again without a word to the server."""
        with patch.object(sending, "build_message", side_effect=ValueError("broken")):
            assert drain().retried == 1
        assert state(delivery) == (Status.PENDING, 1, "ValueError: broken")
        assert mail_server.conversations == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("command", "reply"), [("RCPT", "550 5.1.1 no such user"), ("DATA", "554 rejected as spam")]
    )
    def test_is_not_tried_again(
        self, command: str, reply: str, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """A refusal for good ends the delivery, with the server's words."""
        mail_server.answer(command, reply)
        report = drain()
        assert (report.retried, report.dead, waiting()) == (0, 0, 0)
        status, attempts, error = state(delivery)
        assert (status, attempts) == (Status.FAILED, 1)
        assert reply.partition(" ")[2] in error


class TestUnconfirmed:
    def test_break_after_the_message_is_not_resent(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Without the server's answer to the message nobody knows, and the record says so."""
        mail_server.answer("DATA", HANG_UP)
        drain()
        drain()
        status, attempts, error = state(delivery)
        assert (status, attempts) == (Status.UNCONFIRMED, 1)
        assert error.startswith(sending.BROKEN_OFF)
        assert (mail_server.conversations, waiting()) == (1, 0)

    @override_settings(NOTIFICATIONS_RESEND_UNCONFIRMED=True)
    def test_break_after_the_message_is_resent_if_so_set(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """The policy sends it again, under the same Message-ID."""
        mail_server.answer("DATA", HANG_UP)
        assert drain().retried == 1
        drain()
        assert state(delivery) == (Status.SENT, 2, "")
        assert [m["Message-ID"] for m in mail_server.messages] == [delivery.message_id]

    def test_backend_that_cannot_tell_is_unconfirmed(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """With a backend that doesn't say how far it came, a break is taken for the worse."""
        stock = "django.core.mail.backends.smtp.EmailBackend"
        mail_server.answer("MAIL", HANG_UP)
        with patch("tests.mailbox.BACKEND", stock), mail_goes_to(mail_server.port):
            drain()
        assert state(delivery)[0] == Status.UNCONFIRMED

    def die_while_sending(self, drain: Drain) -> None:
        """Run the call in a worker that dies after the server accepted the mail."""
        real = EmailBackend.send_messages

        def send_and_die(backend: Any, messages: Any) -> None:
            real(backend, messages)
            raise Died

        with patch.object(EmailBackend, "send_messages", send_and_die), pytest.raises(Died):
            drain()
        assert OutboxCall.objects.get().status == OutboxCall.Status.RUNNING
        hour = datetime.timedelta(hours=1)
        call = OutboxCall.objects.get()
        OutboxCall.objects.update(available_at=call.available_at - hour)  # the lease ends

    def test_lost_worker_leaves_it_unconfirmed(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """A worker that died in it may have sent it: it isn't sent again, and says so."""
        self.die_while_sending(drain)
        assert state(delivery)[0] == Status.SENDING
        drain()
        assert state(delivery) == (Status.UNCONFIRMED, 1, sending.INTERRUPTED)
        assert (len(mail_server.messages), waiting()) == (1, 0)

    @override_settings(NOTIFICATIONS_RESEND_UNCONFIRMED=True)
    def test_lost_worker_s_mail_is_resent_if_so_set(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """The policy sends it again, under the same Message-ID: clients show it once."""
        self.die_while_sending(drain)
        drain()
        assert state(delivery) == (Status.SENT, 2, "")
        assert [m["Message-ID"] for m in mail_server.messages] == [delivery.message_id] * 2

    @override_settings(NOTIFICATIONS_RESEND_UNCONFIRMED=True)
    def test_lost_worker_s_mail_that_is_no_longer_wanted(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Not resent then, but not called skipped either: it may have gone out."""
        self.die_while_sending(drain)
        Article.objects.update(status=Article.Status.ARCHIVED)
        drain()
        assert state(delivery)[0] == Status.UNCONFIRMED
        assert len(mail_server.messages) == 1

    def test_worker_lost_before_the_claim_costs_nothing(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """One that died while it connected left the mail pending; the next worker sends it."""
        with patch.object(EmailBackend, "open", side_effect=Died), pytest.raises(Died):
            drain()
        OutboxCall.objects.update(status=OutboxCall.Status.PENDING, lease=None)
        drain()
        assert state(delivery) == (Status.SENT, 1, "")

    def test_slow_worker_corrects_the_record(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """One that outlived its lease and did send it says so over the other's doubt."""
        real = EmailBackend.send_messages

        def send_slowly(backend: Any, messages: Any) -> None:
            sending.send(Delivery.objects.get())  # another worker, after the lease
            assert state(delivery)[0] == Status.UNCONFIRMED
            real(backend, messages)

        with patch.object(EmailBackend, "send_messages", send_slowly):
            drain()
        assert state(delivery) == (Status.SENT, 1, "")
        assert len(mail_server.messages) == 1

    def test_only_one_of_two_workers_sends(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Two that both saw it pending don't both send it."""
        stale = Delivery.objects.select_related("article", "recipient").get()
        drain()
        sending.send(stale)
        assert len(mail_server.messages) == 1


class TestSkipped:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda d: d.article.delete(), "The article is gone."),
            (
                lambda d: Article.objects.update(status="archived"),
                "The article is no longer published.",
            ),
            (
                lambda d: type(d.recipient).objects.update(is_active=False),
                "The recipient's account is inactive.",
            ),
            (lambda d: d.recipient.delete(), "The recipient is gone."),
        ],
    )
    def test_what_is_no_longer_wanted_is_not_sent(
        self,
        change: Callable[[Delivery], Any],
        reason: str,
        delivery: Delivery,
        mail_server: MailServer,
        drain: Drain,
    ) -> None:
        """The last look is right before sending, and its reason is kept."""
        article_id = delivery.article_id
        change(delivery)
        drain()
        assert state(delivery) == (Status.SKIPPED, 0, reason)
        assert mail_server.conversations == 0
        assert delivery.article_id == article_id

    def test_comment_that_was_deleted(self, mail_server: MailServer, drain: Drain) -> None:
        """A comment that is gone is not told of."""
        with patch("notifications.tasks.send"):
            CommentFactory.create()
            drain()
        Comment.objects.all().delete()
        delivery = Delivery.objects.get()
        enqueue(delivery)
        drain()
        assert state(delivery) == (Status.SKIPPED, 0, "No comment is left to tell of.")
        assert not mail_server.messages
