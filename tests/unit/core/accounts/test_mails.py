"""The mails about accounts, and what becomes of them."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User

from aftercommit.contrib.testing import Outbox
from core.accounts import mails, tasks
from tests.mailbox import MailServer, mail_server  # noqa: F401  # a fixture
from tests.people import make_user

pytestmark = pytest.mark.django_db

KINDS = ["verify", "already_exists", "password_reset", "password_changed", "address_changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_message(kind: str) -> None:
    """Each has a subject of one line, and says that a machine has sent it."""
    values = dict.fromkeys(["link", "reset"], "http://x/y/") | {"name": "Ann & Co"}
    message = mails.build(kind, "ann@example.com", values)
    assert 10 < len(message.subject) < 60
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    assert "{" not in message.body
    assert "&amp;" not in message.body
    assert "http://127.0.0.1:8000" in message.body


def test_links_begin_with_the_site(settings: Any) -> None:
    """SITE_URL says where the site is, with a path or without a slash too."""
    settings.SITE_URL = "https://example.org/"
    assert mails.link("account_login") == "https://example.org/login/"


@pytest.mark.usefixtures("mail_server")
class TestServer:
    """What a mail server says."""

    def send(self, outbox: Outbox) -> Any:
        """Have a mail sent to Ann, once."""
        tasks.send_password_changed.delay_on_commit(user_id=make_user("ann").pk)
        return outbox.drain(raise_errors=False)

    def test_takes(self, outbox: Outbox, mail_server: MailServer) -> None:  # noqa: F811
        """The mail arrives."""
        self.send(outbox)
        assert [message["To"] for message in mail_server.messages] == ["ann@example.com"]

    @pytest.mark.parametrize(("command", "reply"), [("RCPT", "550 no"), ("DATA", "554 spam")])
    def test_refuses(
        self,
        outbox: Outbox,
        mail_server: MailServer,  # noqa: F811
        caplog: pytest.LogCaptureFixture,
        command: str,
        reply: str,
    ) -> None:
        """A mail that no attempt can bring ends with a line in the log, without the address."""
        mail_server.answer(command, reply)
        self.send(outbox)
        (line,) = [each for each in caplog.records if each.name == mails.__name__]
        assert "The mail server refused a mail (password_changed)" in line.getMessage()
        assert "ann" not in line.getMessage()

    @pytest.mark.parametrize(("command", "reply"), [("RCPT", "450 later"), ("DATA", "451 later")])
    def test_later(
        self,
        outbox: Outbox,
        mail_server: MailServer,  # noqa: F811
        command: str,
        reply: str,
    ) -> None:
        """One that may go later is tried again."""
        mail_server.answer(command, reply)
        self.send(outbox)
        assert mail_server.messages == []
        outbox.drain(later=True, raise_errors=False)
        assert len(mail_server.messages) == 1


@pytest.mark.parametrize("task", ["send_password_reset", "send_password_changed"])
def test_who_is_gone_or_locked(outbox: Outbox, task: str, mailoutbox: list[Any]) -> None:
    """Nothing goes to who is deleted, or locked out, by the time of sending."""
    ann, bob = make_user("ann"), make_user("bob")
    for user in (ann, bob):
        getattr(tasks, task).delay_on_commit(user_id=user.pk)
    User.objects.filter(username="ann").update(is_active=False)
    bob.delete()
    outbox.drain()
    assert mailoutbox == []


def test_no_link_for_who_is_locked(outbox: Outbox, mailoutbox: list[Any]) -> None:
    """Nor does a link to verify an address."""
    ann = make_user("ann", verified=False)
    row = EmailAddress.objects.get(user=ann)
    tasks.send_verification.delay_on_commit(address_id=row.pk)
    tasks.send_verification.delay_on_commit(address_id=row.pk + 1)
    User.objects.update(is_active=False)
    outbox.drain()
    assert mailoutbox == []
