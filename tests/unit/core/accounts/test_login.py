"""Logging in and out, by name or address, and where one is logged in."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from tests.factories import PASSWORD
from tests.people import make_user
from tests.throttles import limit
from tests.unit.core.accounts.pages import Mails, log_in

pytestmark = pytest.mark.django_db

WARNING = "We send you no mail"


@pytest.mark.parametrize("login", ["ann", "ANN", "ann@example.com", " Ann@Example.com "])
def test_name_or_address(client: Client, login: str) -> None:
    """The name and the address serve as well, in any case."""
    user = make_user("ann")
    assertRedirects(log_in(client, login), "/")
    assert get_user(client) == user
    assertNotContains(client.get("/"), WARNING)


@pytest.mark.parametrize("login", ["ann", "nobody", "ann@example.com", "nobody@example.com"])
def test_fail_wrong_password(client: Client, monkeypatch: Any, login: str) -> None:
    """Neither the words nor the time tell whether there is such an account: one hash for each."""
    make_user("ann")
    hashed: list[str] = []
    monkeypatch.setattr(User, "check_password", lambda user, given: hashed.append(given))
    monkeypatch.setattr(User, "set_password", lambda user, given: hashed.append(given))
    page = log_in(client, login, "wrong")
    assertContains(page, "There is no account with this name or address and this password.")
    assert hashed == ["wrong"]


def test_address_that_many_claim(client: Client, monkeypatch: Any) -> None:
    """Nobody has the site hash a password for each of hundreds who signed up with one address."""
    for name in ("eve", "mallory", "trudy"):
        make_user(name, verified=False, email="ann@example.com")
    with monkeypatch.context() as patched:
        hashed: list[str] = []
        patched.setattr(User, "check_password", lambda user, given: hashed.append(given))
        patched.setattr(User, "set_password", lambda user, given: hashed.append(given))
        log_in(client, "ann@example.com")
        assert len(hashed) == 1
    assertRedirects(log_in(client, "eve"), "/account/address/verify/")
    ann = make_user("ann")
    log_in(client, "ann@example.com")
    assert get_user(client) == ann


def test_name_from_before(client: Client) -> None:
    """A name with an @, which nobody can choose any more, still logs in."""
    user = User.objects.create_user("ann@example.com", password=PASSWORD)
    log_in(client, "ann@example.com")
    assert get_user(client) == user


def test_address_in_capitals(client: Client) -> None:
    """An address that an operator wrote in capitals logs in."""
    User.objects.create_user("ann", "ANN@Example.com", PASSWORD)
    log_in(client, "Ann@example.com")
    assert get_user(client).is_authenticated


@pytest.mark.parametrize("email", ["", "ann@example.com"])
def test_made_by_an_operator(client: Client, mails: Mails, email: str) -> None:
    """Who was made by a command logs in at once. They are told that no mail goes to them."""
    User.objects.create_superuser("ann", email, PASSWORD)
    log_in(client, "ann")
    assertContains(client.get("/"), WARNING)
    assert mails() == []
    assert client.get("/admin/").status_code == 200


def test_fail_inactive(client: Client) -> None:
    """A locked account is told so, and only with its password."""
    make_user("ann", is_active=False)
    assertRedirects(log_in(client, "ann"), "/account/inactive/")
    assertContains(log_in(client, "ann", "wrong"), "There is no account with")


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "http:///evil", "javascript:x"],
)
def test_fail_other_site(client: Client, where: str) -> None:
    """A next page elsewhere is not where one is led on to."""
    make_user("ann")
    assertRedirects(log_in(client, "ann", next=where), "/")


def test_fail_other_host_of_the_site(client: Client, settings: Any) -> None:
    """Nor is another host of ALLOWED_HOSTS."""
    settings.ALLOWED_HOSTS = ["testserver", ".example.org"]
    make_user("ann")
    assertRedirects(log_in(client, "ann", next="https://evil.example.org/"), "/")


def test_next_page(client: Client) -> None:
    """Who wanted a page is led on to it."""
    make_user("ann")
    assertRedirects(log_in(client, "ann", next="/profile/"), "/profile/")


def test_log_out(client: Client) -> None:
    """A page asks first, and a form logs out."""
    client.force_login(make_user("ann"))
    assertContains(client.get("/logout/"), "Do you want to log out?")
    assert get_user(client).is_authenticated
    assertRedirects(client.post("/logout/"), "/")
    assert get_user(client).is_anonymous


class TestAdmin:
    """The admin's log-in is the site's own."""

    def test_leads_there(self, client: Client) -> None:
        """With its limits, and the page that was wanted."""
        assertRedirects(
            client.get("/admin/auth/user/", follow=True),
            "/login/?next=%2Fadmin%2Fauth%2Fuser%2F",
        )

    def test_no_second_door(self, client: Client) -> None:
        """A password that is sent to the admin's own address logs nobody in."""
        make_user("ann", is_staff=True)
        client.post("/admin/login/", {"username": "ann", "password": PASSWORD})
        assert get_user(client).is_anonymous

    def test_password_change(self, client: Client) -> None:
        """The admin's page for the own password is the site's, which tells the user by mail."""
        client.force_login(make_user("ann", is_staff=True))
        assertRedirects(client.get("/admin/password_change/"), "/account/password/")


class TestSessions:
    """The list of where one is logged in."""

    @pytest.fixture
    def other(self) -> Client:
        """Return another browser of Ann's."""
        make_user("ann")
        other = Client(headers={"user-agent": "<b>Other</b>"})
        log_in(other, "ann")
        return other

    def test_list(self, client: Client, other: Client) -> None:
        """Each log-in is there, as text, and which of them is this one."""
        log_in(client, "ann")
        page = client.get("/account/sessions/")
        assertContains(page, "&lt;b&gt;Other&lt;/b&gt;")
        assertContains(page, '<span class="badge">here</span>', count=1)

    def test_end_others(self, client: Client, other: Client) -> None:
        """The others are logged out, and this one is not."""
        log_in(client, "ann")
        client.post("/account/sessions/")
        assert get_user(other).is_anonymous
        assert get_user(client).is_authenticated

    def test_own_alone(self, client: Client, other: Client) -> None:
        """Nobody sees or ends another user's."""
        make_user("eve")
        log_in(client, "eve")
        assertNotContains(client.get("/account/sessions/"), "Other")
        client.post("/account/sessions/")
        assert get_user(other).is_authenticated

    def test_unknown_address(self, other: Client) -> None:
        """A client behind a Unix socket logs in, too."""
        client = Client(REMOTE_ADDR="")
        log_in(client, "ann")
        assert get_user(client).is_authenticated
        assert UserSession.objects.filter(ip="::").exists()


class TestMailsToWhoCannotLogIn:
    """The link is sent again to who signed up, and nobody's mailbox is filled with it."""

    def test_limited(self, client: Client, mails: Mails, settings: Any) -> None:
        """After so many in an hour the page is the same, and no mail goes out."""
        limit(settings, reset="2/1h/name")
        make_user("eve", verified=False, email="bob@example.com")
        for _ in range(4):
            assert log_in(client, "eve")["Location"] == "/account/address/verify/"
        assert len(mails()) == 2

    def test_none_to_a_verified_address_of_another(self, client: Client, mails: Mails) -> None:
        """The owner of the address is told instead, and gets no link."""
        make_user("bob", email="bob@example.com")
        make_user("eve", verified=False, email="bob@example.com")
        log_in(client, "eve")
        (message,) = mails()
        assert message.subject == "You have an account already"


def test_costs_no_query(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """An anonymous visitor's page costs nothing for accounts."""
    with django_assert_num_queries(0):
        client.get("/login/")
        client.get("/account/address/verify/")
        client.get("/nothing/")


def test_no_row_for_each_visit(client: Client) -> None:
    """Who is logged in costs one session and one user for a page, and nothing is written."""
    client.force_login(make_user("ann"))
    before = EmailAddress.objects.count(), UserSession.objects.count()
    client.get("/profile/")
    assert (EmailAddress.objects.count(), UserSession.objects.count()) == before
