"""A new person: signs up, verifies the address, and logs in."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertRedirects

from aftercommit.contrib.testing import Outbox
from core.accounts.addresses import verified_address
from core.accounts.forms import SignupForm
from core.accounts.models import TAKEN
from tests.people import make_user
from tests.unit.core.accounts.pages import Mails, follow, link_in, log_in, sign_up

pytestmark = pytest.mark.django_db

SENT = "/account/address/verify/"


def test_verifies_and_logs_in(client: Client, mails: Mails) -> None:
    """A person follows the link, and then logs in. They have a profile and an author."""
    assertRedirects(sign_up(client), SENT)
    assert get_user(client).is_anonymous
    (message,) = mails()
    follow(client, link_in(message))
    assertRedirects(log_in(client, "ann"), "/")
    user = User.objects.get()
    assert verified_address(user) == "ann@example.com"
    assert user.profile
    assert user.author


def test_fail_log_in_before(client: Client, mails: Mails) -> None:
    """Who has not verified the address can't log in, and gets the link again."""
    sign_up(client)
    mails()
    assertRedirects(log_in(client, "ann"), SENT)
    assert get_user(client).is_anonymous
    assert [message.to for message in mails()] == [["ann@example.com"]]


def test_the_mail_has_no_word_of_the_sender(client: Client, mails: Mails) -> None:
    """Who signs up with a stranger's address sends the stranger nothing of their own."""
    sign_up(client, username="BUY-NOW")
    (message,) = mails()
    assert "BUY" not in str(message.message())
    assert "http://127.0.0.1:8000/account/address/verify/" in message.body


def test_the_link_is_of_the_site(client: Client, mails: Mails, settings: Any) -> None:
    """The Host header of the request says nothing about the link."""
    settings.ALLOWED_HOSTS = ["*"]
    sign_up(Client(headers={"host": "evil.example"}))
    (message,) = mails()
    assert "evil" not in message.body


def test_no_key_in_the_outbox(client: Client, outbox: Outbox) -> None:
    """Who reads the outbox can't follow the link. The request pays for one INSERT."""
    sign_up(client)
    (call,) = [each for each in outbox.calls if each.task.startswith("core.accounts")]
    assert call.kwargs == {"address_id": EmailAddress.objects.get().pk}


def test_nothing_stays_of_what_fails(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the call can't be made, there is no user without a link."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("core.accounts.tasks.send_verification.delay_on_commit", fail)
    with pytest.raises(RuntimeError):
        sign_up(client)
    assert not User.objects.exists()


class TestTakenAddress:
    """An address that is another account's."""

    def test_same_answer(self, client: Client, mails: Mails) -> None:
        """Nobody learns of the account but its owner, by mail."""
        make_user("bob", email="bob@example.com")
        assertRedirects(sign_up(client, email="Bob@Example.com"), SENT)
        (message,) = mails()
        assert message.to == ["bob@example.com"]
        assert "your name is bob" in message.body
        assert "ann" not in message.body

    def test_same_work(self, client: Client) -> None:
        """Neither the statements nor the name, which is taken then, tell of the account."""
        make_user("bob", email="bob@example.com")
        with CaptureQueriesContext(connection) as with_account:
            sign_up(Client(), username="eve", email="bob@example.com")
        with CaptureQueriesContext(connection) as without:
            sign_up(Client(), username="kim", email="kim@example.com")
        assert len(with_account) == len(without)
        for name in ("eve", "kim"):
            assert client.get(f"/authors/{name}/").status_code == 200
            assertContains(sign_up(Client(), username=name, email="x@example.com"), TAKEN)

    def test_never_verified(self, client: Client, mails: Mails) -> None:
        """Who signed up with it can't log in, and has no link for it."""
        bob = make_user("bob", email="bob@example.com")
        sign_up(client, email="bob@example.com")
        log_in(client, "ann")
        assert get_user(client).is_anonymous
        assert all("already" in message.subject for message in mails())
        assert verified_address(bob) == "bob@example.com"

    def test_unverified_is_nobodys(self, client: Client, mails: Mails) -> None:
        """Who signed up first with a stranger's address doesn't keep the stranger away."""
        make_user("eve", verified=False, email="bob@example.com")
        sign_up(client, username="bob")
        (message,) = mails()
        follow(client, link_in(message))
        assert verified_address(User.objects.get(username="bob")) == "bob@example.com"

    def test_first_to_verify_has_it(self, client: Client, mails: Mails) -> None:
        """Of two accounts that claim an address, the one whose link is followed has it."""
        eve = make_user("eve", verified=False, email="bob@example.com")
        bob = make_user("bob", email="bob@example.com")
        log_in(client, "eve")
        (message,) = mails()
        assert "your name is bob" in message.body
        assert verified_address(eve) is None
        assert verified_address(bob) == "bob@example.com"


class TestLink:
    """The link of the mail."""

    @pytest.fixture
    def link(self, client: Client, mails: Mails) -> str:
        """The path of a new person's link."""
        sign_up(client)
        (message,) = mails()
        return link_in(message)

    def test_shown_changes_nothing(self, client: Client, link: str) -> None:
        """What opens links in mails by itself verifies nothing."""
        assertContains(client.get(link), "Is ann@example.com your address")
        assert not EmailAddress.objects.get().verified

    def test_twice(self, client: Client, link: str) -> None:
        """The second time it says that it can't be used."""
        follow(client, link)
        assertContains(client.get(link), "This link can't be used")
        assertContains(client.post(link), "This link can't be used")
        assert EmailAddress.objects.get().verified

    def test_fail_too_old(self, client: Client, link: str, settings: Any) -> None:
        """After three days it verifies nothing."""
        settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = -1
        follow(client, link)
        assert not EmailAddress.objects.get().verified

    def test_fail_forged(self, client: Client, link: str) -> None:
        """A key that was changed verifies nothing."""
        follow(client, link[:-3] + "xx/")
        assert not EmailAddress.objects.get().verified

    def test_another_user(self, client: Client, link: str) -> None:
        """Shown to somebody else it logs nobody out. Sent, it verifies the address it is for."""
        bob = make_user("bob")
        client.force_login(bob)
        client.get(link)
        assert get_user(client) == bob
        client.post(link)
        assert get_user(client).is_anonymous
        assert verified_address(User.objects.get(username="ann")) == "ann@example.com"


class TestFields:
    """What the form takes."""

    @pytest.mark.parametrize(
        "email",
        [
            "",
            "ann",
            "ann@exámple.com",
            "ánn@example.com",
            "ann@example.com\r\nBcc: bob@example.com",
            "ann@example.com, bob@example.com",
            '"ann"@example.com',
            "ann@[127.0.0.1]",
            "a" * 64 + "@" + "b" * 250 + ".com",
            "ann@" + ".".join(["b" * 60] * 5) + ".com",
        ],
    )
    def test_fail_address(self, client: Client, email: str) -> None:
        """Nobody signs up with what is no address, is too long, or can be written in two ways."""
        page = sign_up(client, email=email)
        assert page.status_code == 200
        assert page.context["form"].errors["email"]
        assert not User.objects.exists()

    def test_fail_nul(self, client: Client) -> None:
        """A character that can't be stored is a bad request."""
        assert sign_up(client, email="ann\0@example.com").status_code == 400

    def test_address_of_many(self, client: Client) -> None:
        """An address with a plus is one of its own. The case of letters is none."""
        sign_up(client, email="Ann+site@Example.com")
        assert User.objects.get().email == "ann+site@example.com"

    @pytest.mark.parametrize("password", ["short", "password", "1234567890", "ann@example"])
    def test_fail_weak_password(self, client: Client, password: str) -> None:
        """The password validators hold."""
        page = sign_up(client, password1=password, password2=password)
        assert page.context["form"].errors["password1"]

    def test_fail_other_site(self, client: Client) -> None:
        """A page elsewhere is not where one is led on to."""
        for where in ("https://evil.example/", "//evil.example", "http:evil.example", "\\\\evil"):
            page = sign_up(client, next=where)
            assert "evil" not in page.get("Location", "")

    def test_logged_in(self, client: Client) -> None:
        """Who is logged in has no use for it."""
        client.force_login(make_user("bob"))
        assertRedirects(client.get("/signup/"), "/")


@pytest.mark.django_db(transaction=True)
def test_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who take names that look alike at the same time, one is told that it is taken."""
    both = Barrier(2, timeout=60)
    original = SignupForm.prepare

    def prepare_together(form: SignupForm, request: Any) -> None:
        original(form, request)
        both.wait()  # both have looked whether the name is free

    monkeypatch.setattr(SignupForm, "prepare", prepare_together)

    def run(name: str) -> int:
        try:
            answer: int = sign_up(Client(), username=name).status_code
            return answer
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = sorted(threads.map(run, ["marion", "mar1on"]))
    assert answers == [200, 302]
    assert User.objects.count() == 1
