"""Another password: changed by who knows the old one, or by a link to the verified address."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import int_to_base36
from pytest_django.asserts import assertContains, assertRedirects

from aftercommit.contrib.testing import Outbox
from core.accounts.addresses import verified_address
from tests.factories import PASSWORD
from tests.people import make_user
from tests.unit.core.accounts.pages import NEW, Mails, change_address, follow, link_in, log_in

pytestmark = pytest.mark.django_db

BOTH = {"password1": NEW, "password2": NEW}
RESET, SENT = "/account/password/reset/", "/account/password/reset/sent/"


class TestChange:
    """By the old password."""

    def change(self, client: Client, old: str = PASSWORD) -> Any:
        """Send the form."""
        return client.post("/account/password/", BOTH | {"oldpassword": old})

    def test_ends_other_sessions(self, client: Client, mails: Mails) -> None:
        """This session goes on, the others end, and the address is told."""
        make_user("ann")
        other = Client()
        for browser in (client, other):
            log_in(browser, "ann")
        assertRedirects(self.change(client), "/account/password/")
        assert get_user(client).is_authenticated
        assert get_user(other).is_anonymous
        (message,) = mails()
        assert (message.to, message.subject) == (["ann@example.com"], "Your password was changed")
        assert NEW not in message.body

    def test_fail_wrong_old_one(self, client: Client, mails: Mails) -> None:
        """A browser that was left open doesn't give the account away."""
        client.force_login(make_user("ann"))
        assertContains(self.change(client, "wrong"), "Please type your current password.")
        assert mails() == []

    def test_tells_no_unverified_address(self, client: Client, mails: Mails) -> None:
        """Nothing but the link goes to an address that nobody has verified."""
        client.force_login(User.objects.create_user("ann", "ann@example.com", PASSWORD))
        self.change(client)
        assert mails() == []

    def test_tells_in_the_same_transaction(self, client: Client, monkeypatch: Any) -> None:
        """A password is changed with its mail, or not at all."""
        client.force_login(make_user("ann"))

        def fail(**kwargs: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr("core.accounts.tasks.send_password_changed.delay_on_commit", fail)
        with pytest.raises(RuntimeError):
            self.change(client)
        assert User.objects.get().check_password(PASSWORD)

    def test_keeps_what_changed_meanwhile(self, client: Client, monkeypatch: Any) -> None:
        """An address that another request wrote, while this one hashed, stays."""
        client.force_login(make_user("ann"))
        original = User.set_password

        def set_password(user: User, password: str) -> None:
            original(user, password)
            User.objects.update(email="new@example.com")

        monkeypatch.setattr(User, "set_password", set_password)
        self.change(client)
        user = User.objects.get()
        assert user.email == "new@example.com"
        assert user.check_password(NEW)

    def test_set(self, client: Client) -> None:
        """Who has none is led to another page, which asks who they are."""
        user = make_user("ann", password="!")
        client.force_login(user)
        assertRedirects(
            client.get("/account/password/"), "/account/password/set/", target_status_code=403
        )


class TestReset:
    """By a link to the verified address."""

    @pytest.fixture
    def other(self) -> Client:
        """Return a browser in which Ann is logged in."""
        other = Client()
        other.force_login(make_user("ann"))
        return other

    @pytest.fixture
    def link(self, client: Client, mails: Mails, other: Client) -> str:
        """Return the path of Ann's link."""
        client.post(RESET, {"email": "Ann@Example.com"})
        (message,) = mails()
        assert message.to == ["ann@example.com"]
        return link_in(message)

    def test_success(self, client: Client, mails: Mails, other: Client, link: str) -> None:
        """The new password logs in, other sessions have ended, and the address is told."""
        assertRedirects(follow(client, link, **BOTH), "/account/password/reset/done/")
        assert get_user(other).is_anonymous
        assert [message.subject for message in mails()] == ["Your password was changed"]
        assertRedirects(log_in(client, "ann", NEW), "/")

    def test_no_key_in_the_outbox(self, client: Client, outbox: Outbox) -> None:
        """The key is made when the mail is sent. The request pays for one INSERT."""
        user = make_user("ann")
        outbox.clear()
        client.post(RESET, {"email": "ann@example.com"})
        (call,) = outbox.calls
        assert call.kwargs == {"user_id": user.pk}

    def test_same_work(self, client: Client, django_assert_num_queries: Any) -> None:
        """The statements are as many, whether the address is anybody's or not."""
        make_user("ann")
        for email in ("ann@example.com", "nobody@example.com"):
            with django_assert_num_queries(1):  # and the INSERT of the call at COMMIT
                client.post(RESET, {"email": email})

    def test_a_call_in_each_case(self, client: Client, outbox: Outbox) -> None:
        """A call is made for nobody, too, and does nothing."""
        client.post(RESET, {"email": "nobody@example.com"})
        assert [call.kwargs for call in outbox.calls] == [{"user_id": 0}]

    @pytest.mark.parametrize("email", ["nobody@example.com", "eve@example.com", "op@example.com"])
    def test_nobody_else_is_told(self, client: Client, mails: Mails, email: str) -> None:
        """The answer is the same, and no mail goes out: to none, unverified, or written ones."""
        make_user("eve", verified=False)
        User.objects.create_superuser("op", "op@example.com", PASSWORD)
        assertRedirects(client.post(RESET, {"email": email}), SENT)
        assert mails() == []

    @pytest.mark.parametrize("email", ["ann@exámple.com", "ann@example.com\nBcc: eve@x.org", ""])
    def test_fail_address(self, client: Client, mails: Mails, email: str) -> None:
        """What only looks like the address is refused."""
        make_user("ann")
        assert client.post(RESET, {"email": email}).context["form"].errors
        assert mails() == []

    def test_fail_twice(self, client: Client, link: str) -> None:
        """The link serves once."""
        follow(client, link, **BOTH)
        assertContains(client.get(link), "This link can't be used")

    def test_fail_after_the_address_changed(self, client: Client, link: str) -> None:
        """Who has lost an address can't use what was sent there before."""
        User.objects.update(email="other@example.com")
        assertContains(client.get(link), "This link can't be used")

    def test_fail_too_old(self, client: Client, link: str, settings: Any) -> None:
        """After three hours it can't be used."""
        settings.PASSWORD_RESET_TIMEOUT = -1
        assertContains(client.get(link), "This link can't be used")

    def test_fail_of_another(self, client: Client, link: str) -> None:
        """Ann's key sets nobody else's password."""
        eve = make_user("eve")
        key = link.removeprefix(RESET).partition("-")[2]
        assertContains(
            client.get(f"{RESET}{int_to_base36(eve.pk)}-{key}"), "This link can't be used"
        )

    def test_shown_to_another_user(self, client: Client, link: str) -> None:
        """A link that is only shown logs nobody out."""
        eve = make_user("eve")
        client.force_login(eve)
        client.get(link, follow=True)
        assert get_user(client) == eve

    def test_fail_weak(self, client: Client, link: str) -> None:
        """The password validators hold."""
        page = follow(client, link, password1="password", password2="password")
        assertContains(page, "too common")

    def test_who_is_told_at_sending(self, client: Client, mails: Mails) -> None:
        """An address that has changed since gets no link."""
        make_user("ann")
        client.post(RESET, {"email": "ann@example.com"})
        User.objects.update(email="other@example.com")
        assert mails() == []


class TestAddressThatWaits:
    """A change of address that whoever knew the old password has asked for."""

    @pytest.fixture
    def link(self, client: Client, mails: Mails) -> str:
        """Return the path of the link that went to another address."""
        make_user("ann")
        log_in(client, "ann")
        change_address(client, "eve@example.com")
        (message,) = mails()
        return link_in(message)

    def change(self) -> None:
        """Change the password, as the admin and the reset do it."""
        user = User.objects.get()
        user.set_password(NEW)
        user.save()

    def test_ends(self, client: Client, link: str) -> None:
        """With another password the link gives the account to nobody."""
        self.change()
        follow(client, link)
        assert verified_address(User.objects.get()) == "ann@example.com"

    @pytest.mark.usefixtures("link")
    def test_locks_as_the_link_does(self) -> None:
        """First the address and then the user, so that the two never wait for each other."""
        with CaptureQueriesContext(connection) as queries:
            self.change()
        statements = [each["sql"] for each in queries]
        parts = ("SELECT.*emailaddress", "DELETE.*emailaddress", "UPDATE.*auth_user")
        found = [next(n for n, sql in enumerate(statements) if re.match(p, sql)) for p in parts]
        assert found == sorted(found)
        if connection.features.has_select_for_update:
            assert "FOR UPDATE" in statements[found[0]]

    def test_ends_while_it_is_verified(self, client: Client, link: str, monkeypatch: Any) -> None:
        """An address that is gone since the page found it is not verified."""
        monkeypatch.setattr("core.accounts.adapter.lock_rows", lambda email: [])
        assert follow(client, link).status_code == 200
        assert verified_address(User.objects.get()) == "ann@example.com"

    def test_stays(self, client: Client, link: str) -> None:
        """The same password, hashed anew at a log-in, changes nothing."""
        user = User.objects.get()
        user.password = "md5$salt$another"  # by Django, which leaves out the password in clear
        user.save(update_fields=["password"])
        follow(client, link)
        assert verified_address(user) == "eve@example.com"
