"""To which addresses the site may send mail."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User

from core.accounts.addresses import (
    loaded_address,
    mark_verified,
    verified_address,
    verified_addresses,
)
from tests.people import make_user

pytestmark = pytest.mark.django_db

Address = Callable[[User], str | None]
both = pytest.mark.parametrize("address", [verified_address, loaded_address])


@both
def test_verified(address: Address) -> None:
    """Mail may go to an address that its owner has verified, however it is spelled."""
    assert address(make_user("ann", email="Ann@Example.com")) == "ann@example.com"


@both
@pytest.mark.parametrize("fields", [{"verified": False}, {"email": ""}, {"is_active": False}])
def test_fail_not_verified_or_inactive(address: Address, fields: dict[str, Any]) -> None:
    """No mail goes to an unverified address, to none, and to who is locked out."""
    assert address(make_user(**fields)) is None


@both
def test_fail_made_by_the_operator(address: Address) -> None:
    """An address that a command or a program has written is not verified."""
    assert address(User.objects.create_user("ann", "ann@example.com")) is None


def test_address_as_it_is_now() -> None:
    """An address that was changed is asked for anew, whatever a caller has loaded."""
    user = make_user("ann")
    User.objects.update(email="other@example.com")
    assert verified_address(user) is None
    mark_verified(User.objects.get())
    assert verified_address(user) == "other@example.com"


@both
def test_fail_address_of_another_user(address: Address) -> None:
    """What one user has verified proves nothing for another."""
    make_user("ann", email="ann@example.com")
    eve = User.objects.create_user("eve", "ann@example.com")
    EmailAddress.objects.create(user=eve, email="ann@example.com")
    assert address(eve) is None


def test_many_by_one_query(django_assert_num_queries: Callable[[int], Any]) -> None:
    """Many users cost one query. Who has no verified address is left out."""
    ann, bob, eve = make_user("ann"), make_user("bob"), make_user("eve", verified=False)
    with django_assert_num_queries(1):
        found = verified_addresses([ann.pk, bob.pk, eve.pk])
    assert found == {ann.pk: "ann@example.com", bob.pk: "bob@example.com"}
