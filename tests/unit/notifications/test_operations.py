"""What an operator does with deliveries in the admin, and what becomes of their mails."""

import html
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.urls import reverse

from aftercommit.models import OutboxCall
from aftercommit.operations.calls import discard_calls
from aftercommit.worker.revoke import revoke_calls
from aftercommit.worker.summary import DrainSummary
from audit.models import AuditLog
from notifications import sending
from notifications.asking import Letter
from notifications.models import Delivery, Follow
from notifications.operations import CANCEL, MARK_SENT, SEND_AGAIN
from notifications.smtp import EmailBackend
from notifications.tasks import send_delivery
from tests.factories import ArticleFactory, UserFactory
from tests.mailbox import MailServer
from tests.unit.notifications.made import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], DrainSummary]
Status = Delivery.Status

LIST = reverse("admin:notifications_delivery_changelist")
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
ACTIONS = {
    "send_again": ("will be sent again", Status.PENDING),
    "mark_sent": ("marked as sent", Status.SENT),
    "cancel": ("cancelled", Status.CANCELLED),
}
EACH = pytest.mark.parametrize("action", ACTIONS)
TAKES = {
    "send_again": {Status.FAILED, Status.UNCONFIRMED},
    "mark_sent": {Status.FAILED, Status.UNCONFIRMED},
    "cancel": {Status.FAILED, Status.UNCONFIRMED, Status.PENDING},
}


@pytest.fixture
def mara(drain: Drain) -> User:
    """Who operates; a superuser."""
    user: User = UserFactory.create(username="mara", is_staff=True, is_superuser=True)
    drain()
    return user


@pytest.fixture
def admin(client: Client, mara: User) -> Client:
    """The browser in which mara is logged in."""
    client.force_login(mara)
    return client


@pytest.fixture
def delivery(drain: Drain) -> Delivery:
    """A mail that failed, about a published article."""
    article = ArticleFactory.create(published=True)
    drain()
    made = make_delivery(
        "it", article_id=article.pk, status=Status.FAILED, error="550 no such user"
    )
    Follow.objects.create(user=made.recipient, author=article.author)
    return made


def choose(client: Client, action: str, *chosen: Delivery) -> Any:
    """Choose the deliveries and the action in the list; the response, which is the question."""
    data = {"action": action, "index": "0", "_selected_action": [each.pk for each in chosen]}
    return client.post(LIST, data, follow=True)


def confirm(client: Client, question: Any) -> str:
    """Send the question's form; the messages on the page that follows."""
    inputs = dict(HIDDEN.findall(question.content.decode()))
    return said(client.post(question.request["PATH_INFO"], inputs, follow=True))


def operate(client: Client, action: str, *chosen: Delivery) -> str:
    """Choose the deliveries and the action, and confirm; the messages that follow."""
    return confirm(client, choose(client, action, *chosen))


def said(response: Any) -> str:
    """The messages on a page."""
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def text_of(response: Any) -> str:
    """The page as a person reads it: without its tags, in single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def url_of(page: str, delivery: Delivery) -> str:
    """The address of a page of the delivery."""
    return reverse(f"admin:notifications_delivery_{page}", args=[delivery.pk])


def status_of(delivery: Delivery) -> str:
    """The status, as stored."""
    delivery.refresh_from_db()
    return delivery.status


def sending_calls() -> int:
    """How many calls of ``send_delivery`` are in the outbox."""
    return OutboxCall.objects.filter(task=send_delivery.name).count()


def logs(drain: Drain) -> list[AuditLog]:
    """The entries about deliveries, once they are written."""
    drain()
    return list(AuditLog.objects.filter(model_label="notifications.delivery").order_by("object_id"))


class TestEach:
    """What the three operations have in common."""

    @EACH
    def test_question(self, admin: Client, action: str) -> None:
        """Asks first, and does nothing: how many of each status, and which are left, and why."""
        made = {status: make_delivery(status, status=status) for status in Status}
        text = text_of(choose(admin, action, *made.values()))
        counts, _, left = text.partition("Left as they are Only failed")
        for status in Status:
            assert f"Article published {status.label} 1" in (
                counts if status in TAKES[action] else left
            )
        assert f"{len(TAKES[action])} deliveries" in counts
        assert {status: status_of(each) for status, each in made.items()} == {
            status: status for status in Status
        }
        assert sending_calls() == 0

    @EACH
    def test_confirmed(self, admin: Client, action: str) -> None:
        """Does it with those that it was asked about, and leaves the others."""
        made = {status: make_delivery(status, status=status) for status in Status}
        other = make_delivery("other", status=Status.FAILED)
        done, after = ACTIONS[action]
        count = len(TAKES[action])
        message = operate(admin, action, *made.values())
        assert message == f"{count} of {count} deliveries {done}."
        assert {status: status_of(each) for status, each in made.items()} == {
            status: after if status in TAKES[action] else status for status in Status
        }
        assert status_of(other) == Status.FAILED

    @EACH
    def test_nothing_to_ask(self, admin: Client, action: str) -> None:
        """Asks nothing where it would do nothing, and says why."""
        delivery = make_delivery(1, status=Status.SENT)
        done, _ = ACTIONS[action]
        message = said(choose(admin, action, delivery))
        assert message.startswith(f"0 of 1 delivery {done}. Only failed")
        assert status_of(delivery) == Status.SENT

    @EACH
    def test_log(self, admin: Client, mara: User, action: str, drain: Drain) -> None:
        """Writes an entry for each: who, from where, from which status to which."""
        failed = make_delivery(1, status=Status.FAILED)
        unconfirmed = make_delivery(2, status=Status.UNCONFIRMED)
        operate(admin, action, failed, unconfirmed)
        first, second = logs(drain)
        after = ACTIONS[action][1].value
        assert (first.action, first.object_id) == ("UPDATE", str(failed.pk))
        assert first.changes == {"status": {"old": "failed", "new": after}}
        assert second.changes == {"status": {"old": "unconfirmed", "new": after}}
        assert (first.user, first.user_label, first.address) == (mara, "mara", "127.0.0.1")

    @EACH
    def test_log_that_fails(self, admin: Client, action: str, delivery: Delivery) -> None:
        """Is undone if it can't be logged: no status, no call."""
        question = choose(admin, action, delivery)
        writer = "audit.receivers.write_audit_logs.using"
        with (
            patch(writer, side_effect=ValueError("no log")),
            pytest.raises(ValueError, match="log"),
        ):
            confirm(admin, question)
        assert (status_of(delivery), sending_calls()) == (Status.FAILED, 0)

    @EACH
    def test_worker_was_first(self, admin: Client, action: str, delivery: Delivery) -> None:
        """Leaves a delivery that a worker began after the question, and says so."""
        question = choose(admin, action, delivery)
        Delivery.objects.update(status=Status.SENDING)
        done, _ = ACTIONS[action]
        message = confirm(admin, question)
        assert message.startswith(f"0 of 1 delivery {done}. The others have changed since")
        assert (status_of(delivery), sending_calls()) == (Status.SENDING, 0)

    @EACH
    def test_button(self, admin: Client, action: str, delivery: Delivery) -> None:
        """Is a button on the delivery's page that leads to the question, and back to the page."""
        url = url_of(action, delivery)
        assert f'href="{url}"' in admin.get(url_of("change", delivery)).content.decode()
        question = admin.get(url)
        assert "1 delivery" in text_of(question)
        assert status_of(delivery) == Status.FAILED
        response = admin.post(url, dict(HIDDEN.findall(question.content.decode())))
        assert response.headers["Location"] == url_of("change", delivery)
        assert status_of(delivery) == ACTIONS[action][1]

    @EACH
    @pytest.mark.parametrize("status", Status)
    def test_buttons(self, admin: Client, action: str, status: Delivery.Status) -> None:
        """The button is there only where it can be done."""
        delivery = make_delivery(1, status=status)
        is_there = (
            url_of(action, delivery) in admin.get(url_of("change", delivery)).content.decode()
        )
        assert is_there == (status in TAKES[action])

    @EACH
    def test_permission(self, client: Client, action: str, delivery: Delivery) -> None:
        """Is for who may change deliveries."""
        log_in(client, "change_delivery")
        assert operate(client, action, delivery).startswith("1 of 1 delivery ")

    @EACH
    def test_no_permission(self, client: Client, action: str, delivery: Delivery) -> None:
        """Is neither offered to nor done for who may only look."""
        log_in(client, "view_delivery")
        page = client.get(url_of("change", delivery)).content.decode()
        assert url_of(action, delivery) not in page
        assert f'value="{action}"' not in client.get(LIST).content.decode()
        data = {"action": action, "_selected_action": [delivery.pk], "post": "yes"}
        assert client.post(LIST, data).status_code == 403
        assert client.get(url_of(action, delivery)).status_code == 403
        assert client.post(url_of(action, delivery), data).status_code == 403
        assert status_of(delivery) == Status.FAILED

    @EACH
    def test_csrf(self, admin: Client, action: str, delivery: Delivery) -> None:
        """Is refused to a form of another site."""
        admin.handler.enforce_csrf_checks = True
        data = {"action": action, "_selected_action": [delivery.pk], "post": "yes"}
        assert admin.post(LIST, data).status_code == 403
        assert admin.post(url_of(action, delivery), data).status_code == 403
        assert status_of(delivery) == Status.FAILED


class TestSendAgain:
    """A mail that is sent again."""

    def test_success(
        self, admin: Client, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Goes out once, under the Message-ID on record."""
        Delivery.objects.update(message_id="<it@example.com>")
        operate(admin, "send_again", delivery)
        drain()
        assert [each["Message-ID"] for each in mail_server.messages] == ["<it@example.com>"]
        assert status_of(delivery) == Status.SENT
        assert delivery.error == ""

    def test_confirmed_twice(
        self, admin: Client, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Goes out once also if its button is clicked twice."""
        question = choose(admin, "send_again", delivery)
        confirm(admin, question)
        assert confirm(admin, question).startswith("0 of 1 delivery will be sent again. The others")
        assert sending_calls() == 1
        drain()
        assert len(mail_server.messages) == 1

    @pytest.mark.parametrize("status", [Status.FAILED, Status.UNCONFIRMED])
    def test_warning(self, admin: Client, delivery: Delivery, status: Delivery.Status) -> None:
        """The question says of an unconfirmed one, and of no other, that it may come twice."""
        Delivery.objects.update(status=status)
        warns = "Unconfirmed: 1. Each may have gone out" in text_of(
            choose(admin, "send_again", delivery)
        )
        assert warns == (status == Status.UNCONFIRMED)

    def test_first_worker_still_at_it(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Doesn't go out twice if the worker that was taken for lost gets the server's answer."""
        take_for_lost_while_sending(delivery, drain, SEND_AGAIN.run)
        assert status_of(delivery) == Status.SENT
        drain()
        assert len(mail_server.messages) == 1
        assert sending_calls() == 0


class TestMarkSent:
    """A mail that is marked as sent."""

    def test_sends_nothing(
        self, admin: Client, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Isn't sent, and has no time of sending, which nobody knows."""
        operate(admin, "mark_sent", delivery)
        drain()
        assert mail_server.messages == []
        assert (status_of(delivery), delivery.sent_at) == (Status.SENT, None)

    def test_first_worker_still_at_it(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Stays marked."""
        take_for_lost_while_sending(delivery, drain, MARK_SENT.run)
        assert status_of(delivery) == Status.SENT


class TestCancel:
    """A mail that is cancelled."""

    @pytest.fixture
    def pending(self, delivery: Delivery) -> Delivery:
        """A mail that waits for its call in the outbox."""
        Delivery.objects.update(status=Status.PENDING, error="")
        send_delivery.delay_on_commit(delivery_id=delivery.pk)
        return delivery

    def test_pending(
        self, admin: Client, pending: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Isn't sent by its call, which is settled."""
        operate(admin, "cancel", pending)
        drain()
        assert (mail_server.messages, sending_calls()) == ([], 0)
        assert status_of(pending) == Status.CANCELLED

    def test_warning(self, admin: Client, delivery: Delivery) -> None:
        """The question says of an unconfirmed one that it may have gone out."""
        assert "may have gone out" not in text_of(choose(admin, "cancel", delivery))
        Delivery.objects.update(status=Status.UNCONFIRMED)
        text = text_of(choose(admin, "cancel", delivery))
        assert "Unconfirmed: 1. Each may have gone out already: nothing undoes that." in text

    def test_just_before_it_is_sent(
        self, pending: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Isn't sent by a worker that has read it already and not begun."""
        real = sending.build_message

        def cancel_first(delivery: Delivery, letter: Letter) -> Any:
            assert CANCEL.run("default", [delivery.pk]) == 1
            return real(delivery, letter)

        with patch.object(sending, "build_message", cancel_first):
            drain()
        assert mail_server.messages == []
        assert status_of(pending) == Status.CANCELLED

    def test_while_it_is_sent(
        self, pending: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Comes too late then, and leaves the record to the worker."""
        real = EmailBackend.send_messages
        counts: list[int] = []

        def cancel_meanwhile(backend: Any, messages: Any) -> Any:
            counts.append(CANCEL.run("default", [pending.pk]))
            return real(backend, messages)

        with patch.object(EmailBackend, "send_messages", cancel_meanwhile):
            drain()
        assert (counts, len(mail_server.messages)) == ([0], 1)
        assert status_of(pending) == Status.SENT

    def test_first_worker_still_at_it(
        self, delivery: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Is called sent if the worker that was taken for lost has sent it: that is the truth."""
        take_for_lost_while_sending(delivery, drain, CANCEL.run)
        assert status_of(delivery) == Status.SENT

    @override_settings(NOTIFICATIONS_RESEND_UNCONFIRMED=True)
    def test_for_good(
        self, admin: Client, pending: Delivery, mail_server: MailServer, drain: Drain
    ) -> None:
        """Can't be sent again: its first call may still be there, and two could send it."""
        operate(admin, "cancel", pending)
        message = said(choose(admin, "send_again", pending))
        assert message.endswith("and a cancelled one stays cancelled.")
        assert status_of(pending) == Status.CANCELLED


OPTIONS = '[[], {"delivery_id": %d}, {"priority": 3}]'


class TestCallTaken:
    """A mail whose call is taken from the outbox: it doesn't wait for ever."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (Status.PENDING, Status.CANCELLED),
            (Status.SENDING, Status.UNCONFIRMED),
            *((status, status) for status in Status if status not in ("pending", "sending")),
        ],
    )
    @pytest.mark.parametrize("payload", ['[[], {"delivery_id": %d}]', "[[%d], {}]", OPTIONS])
    def test_discarded(
        self, delivery: Delivery, before: str, after: str, payload: str, drain: Drain
    ) -> None:
        """Is cancelled, or unconfirmed if it was begun, and that is logged."""
        Delivery.objects.update(status=before)
        call = dead_call(payload % delivery.pk)
        assert discard_calls(OutboxCall.objects.filter(pk=call.pk)) == 1
        assert status_of(delivery) == after
        if before == after:
            assert logs(drain) == []
        else:
            assert delivery.error == "Its call was discarded from the outbox."
            assert logs(drain)[0].changes == {"status": {"old": before, "new": after}}

    @pytest.mark.parametrize(
        "payload",
        ["{not json", "17", "[[], []]", "[[], {}]", '[["x"], {}]', "[[-1], {}]", "[" * 100_000,
         '[[], {"delivery_id": 1%s}]' % ("0" * 30), "[[Infinity], {}]", "[[null], {}]"],
    )  # fmt: skip
    def test_unreadable(self, delivery: Delivery, payload: str) -> None:
        """A call whose arguments can't be read is discarded all the same."""
        Delivery.objects.update(status=Status.PENDING)
        call = dead_call(payload)
        assert discard_calls(OutboxCall.objects.filter(pk=call.pk)) == 1
        assert status_of(delivery) == Status.PENDING

    def test_revoked(self, delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
        """Is cancelled if its call is revoked."""
        Delivery.objects.update(status=Status.PENDING)
        send_delivery.delay_on_commit(delivery_id=delivery.pk)
        assert revoke_calls([OutboxCall.objects.get(task=send_delivery.name).pk]) == 1
        assert (status_of(delivery), delivery.error) == (
            Status.CANCELLED,
            "Its call was revoked, or expired.",
        )
        drain()
        assert mail_server.messages == []

    def test_expired(self, delivery: Delivery, mail_server: MailServer, drain: Drain) -> None:
        """Is cancelled if its call is run too late."""
        Delivery.objects.update(status=Status.PENDING)
        call = {"delivery_id": delivery.pk}
        send_delivery.apply_async_on_commit(kwargs=call, expires=0.001)
        drain()
        assert (status_of(delivery), mail_server.messages) == (Status.CANCELLED, [])


def log_in(client: Client, *permissions: str) -> None:
    """Log a member of the staff in who has these permissions only."""
    user: User = UserFactory.create(is_staff=True)
    for name in permissions:
        user.user_permissions.add(Permission.objects.get(codename=name))
    client.force_login(user)


def dead_call(payload: str) -> OutboxCall:
    """A dead call of ``send_delivery`` with this payload."""
    send_delivery.delay_on_commit(delivery_id=1)
    call = OutboxCall.objects.get(task=send_delivery.name)
    OutboxCall.objects.filter(pk=call.pk).update(status="dead", payload=payload)
    return call


def take_for_lost_while_sending(
    delivery: Delivery, drain: Drain, act: Callable[[str, list[int]], int]
) -> None:
    """Send the delivery in a worker that outlives its lease; an operator acts on it meanwhile."""
    Delivery.objects.update(status=Status.PENDING)
    send_delivery.delay_on_commit(delivery_id=delivery.pk)
    real = EmailBackend.send_messages
    acted: list[int] = []

    def act_meanwhile(backend: Any, messages: Any) -> Any:
        if not acted:
            assert delivery.move(Status.SENDING, to=Status.UNCONFIRMED)
            acted.append(act("default", [delivery.pk]))
        return real(backend, messages)

    with patch.object(EmailBackend, "send_messages", act_meanwhile):
        drain()
    assert acted == [1]
