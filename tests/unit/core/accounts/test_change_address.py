"""Another address: nothing but a link goes there before it is verified, and the old one is told."""

from typing import Any

import pytest
from allauth.account.managers import EmailAddressManager
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains

from core.accounts.addresses import verified_address
from core.accounts.forgetting import redactor
from core.accounts.forms import AddEmailForm
from core.forgetting.person import Person
from tests.factories import PASSWORD
from tests.people import make_user
from tests.throttles import limit
from tests.unit.core.accounts.pages import Mails, change_address, follow, link_in, log_in

pytestmark = pytest.mark.django_db

PAGE = "/account/address/"


@pytest.fixture
def ann(client: Client) -> User:
    """Return a user with a verified address, who is logged in."""
    user = make_user("ann")
    log_in(client, "ann")
    return user


def test_success(client: Client, ann: User, mails: Mails) -> None:
    """The address from before counts until the link is followed. It is told then."""
    change_address(client, "New@Example.com")
    (message,) = mails()
    assert message.to == ["new@example.com"]
    assert verified_address(ann) == "ann@example.com"
    follow(client, link_in(message))
    assert verified_address(ann) == "new@example.com"
    assert User.objects.get().email == "new@example.com"
    (told,) = mails()
    assert (told.to, told.subject) == (["ann@example.com"], "Your account has another address")
    assert "new@example.com" not in told.body


def test_fail_without_the_password(client: Client, ann: User, mails: Mails) -> None:
    """A browser that was left open doesn't give the account away."""
    change_address(client, "eve@example.com", "wrong")
    assert mails() == []
    assert EmailAddress.objects.count() == 1


def test_same_answer_for_a_taken_one(client: Client, ann: User, mails: Mails) -> None:
    """That another account has it learns its owner alone, who gets no link."""
    make_user("bob", email="bob@example.com")
    page = change_address(client, "bob@example.com")
    assert page["Location"] == PAGE
    (message,) = mails()
    assert (message.to, message.subject) == (["bob@example.com"], "You have an account already")


def test_never_two_with_one_address(client: Client, ann: User, mails: Mails) -> None:
    """Who is second to follow a link is told that the address is another account's."""
    change_address(client, "bob@example.com")
    (message,) = mails()
    make_user("bob", email="bob@example.com")
    assertContains(client.get(link_in(message)), "is the address of another account")
    client.post(link_in(message))
    assert verified_address(ann) == "ann@example.com"


def test_never_two_at_the_same_moment(
    client: Client, ann: User, mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is second after the look, and before the UPDATE, gets a page and no address."""
    if not connection.features.supports_partial_indexes:
        return  # the lock alone keeps them apart
    change_address(client, "bob@example.com")
    (message,) = mails()
    make_user("bob", email="bob@example.com")
    monkeypatch.setattr(EmailAddress, "can_set_verified", lambda address: True)
    page = client.post(link_in(message), follow=True)
    assertContains(page, "is the address of another account")
    assert verified_address(ann) == "ann@example.com"


def test_others_wait(client: Client, ann: User, mails: Mails) -> None:
    """Who verifies an address locks its rows."""
    change_address(client, "new@example.com")
    (message,) = mails()
    with CaptureQueriesContext(connection) as run:
        client.post(link_in(message))
    locks = [each["sql"] for each in run if "FOR UPDATE" in each["sql"]]
    assert len(locks) == connection.features.has_select_for_update


def test_sent_twice(client: Client, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second click, before the first was answered, is answered in the same way."""
    change_address(client, "new@example.com")
    monkeypatch.setattr(AddEmailForm, "clean_email", lambda form: "new@example.com")
    monkeypatch.setattr(EmailAddressManager, "get_new", lambda manager, user: None)
    page = client.post(PAGE, {"email": "new@example.com", "action_add": "1"})
    assert page["Location"] == PAGE
    assert EmailAddress.objects.filter(email="new@example.com").count() == 1


def test_keep_the_other_one(client: Client, ann: User, mails: Mails) -> None:
    """A change can be taken back. The link serves for nothing then."""
    change_address(client, "new@example.com")
    (message,) = mails()
    log_in(client, "ann")
    client.post(PAGE, {"email": "new@example.com", "action_remove": "1"})
    follow(client, link_in(message))
    assert verified_address(ann) == "ann@example.com"


def test_another_one_in_between(client: Client, ann: User, mails: Mails) -> None:
    """Of two changes the second holds, whose mail alone has a link that serves."""
    change_address(client, "one@example.com")
    (first,) = mails()
    change_address(client, "two@example.com")
    (second,) = mails()
    follow(client, link_in(first))
    assert verified_address(ann) == "ann@example.com"
    follow(client, link_in(second))
    assert verified_address(ann) == "two@example.com"


def test_made_by_an_operator(client: Client, mails: Mails) -> None:
    """Who has an address that nobody verified has the link sent from the same page."""
    ann = User.objects.create_superuser("ann", "ann@example.com", PASSWORD)
    log_in(client, "ann")
    assertContains(client.get(PAGE), "not verified")
    client.post(PAGE, {"email": "ann@example.com", "action_send": "1"})
    (message,) = mails()
    follow(client, link_in(message))
    assert verified_address(ann) == "ann@example.com"
    assert mails() == []


@pytest.mark.parametrize("email", ["", "ann", "ann@exámple.com", "ann@example.com", "a@b.c\n\nHi"])
def test_fail_address(client: Client, ann: User, mails: Mails, email: str) -> None:
    """What is no address, or the same one, is refused with a sentence."""
    page = client.post(PAGE, {"email": email, "action_add": "1"})
    assert page.context["form"].errors["email"]
    assert mails() == []


def test_limited(client: Client, ann: User, mails: Mails, settings: Any) -> None:
    """Nobody has this site send links to as many strangers as they like."""
    limit(settings, reset="2/1h/user")
    for n in range(4):
        client.post(PAGE, {"email": f"stranger{n}@example.com", "action_add": "1"})
    page = client.post(PAGE, {"email": "stranger@example.com", "action_add": "1"})
    assert page.status_code == 429


def test_nobody_elses(client: Client, ann: User, mails: Mails) -> None:
    """A form with another user's address does nothing."""
    bob = make_user("bob", email="bob@example.com")
    for action in ("action_send", "action_remove", "action_primary"):
        client.post(PAGE, {"email": "bob@example.com", action: "1"})
    assert mails() == []
    assert verified_address(bob) == "bob@example.com"


def test_forgotten(ann: User) -> None:
    """A call that is yet to run has no address of who is forgotten. Others keep theirs."""
    redact = redactor(Person.of(ann))
    assert redact({"user_id": ann.pk, "address": "ann@example.com"})["address"] == ""
    assert redact({"user_id": 0, "address": "bob@example.com"})["address"] == "bob@example.com"
