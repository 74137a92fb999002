"""Who made a change: the user that the instance names, else the one of the request."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from aftercommit.context import Context, use
from aftercommit.contrib.testing import Outbox
from audit.models import AuditLog
from content.models import Product
from tests.factories import ProductFactory, UserFactory

pytestmark = pytest.mark.django_db

Last = Callable[[Model], AuditLog]


@pytest.fixture
def staff() -> User:
    """A user who may do everything."""
    return UserFactory.create(username="mara", is_staff=True, is_superuser=True)


def test_request_names_the_actor(client: Client, staff: User, last: Last) -> None:
    """A change in a request has its user, its id and the client's address."""
    product = ProductFactory.create(name="Widget", price="9.99", stock=1)
    client.force_login(staff)
    response = client.post(
        reverse("admin:content_product_change", args=[product.pk]),
        {"name": "Gadget", "price": "9.99", "stock": "1", "is_active": "on"},
        REMOTE_ADDR="192.0.2.7",
    )
    assert response.status_code == 302
    log = last(product)
    assert log.changes == {"name": {"old": "Widget", "new": "Gadget"}}
    assert (log.user, log.user_label) == (staff, "mara")
    assert (log.request_id, log.address) == (response["X-Request-ID"], "192.0.2.7")


def test_no_request_no_actor(last: Last) -> None:
    """A change by a command or in a shell names nobody, unless it is told who."""
    log = last(ProductFactory.create())
    assert (log.user, log.user_label, log.request_id, log.address) == (None, "", "", "")


def test_set_current_user_wins(staff: User, last: Last) -> None:
    """The user that the instance names is the actor; the rest of the request's context stays."""
    other = UserFactory.create(username="other")
    product = Product(name="Widget", price="9.99")
    product.set_current_user(staff)
    with use(Context.of_user(other, "request-1", "192.0.2.7")):
        product.save()
    log = last(product)
    assert (log.user, log.user_label, log.request_id) == (staff, "mara", "request-1")


def test_nested_changes_keep_their_own_actors(staff: User, last: Last) -> None:
    """One instance's user says nothing about another that is saved meanwhile."""
    outer, inner = ProductFactory.create(), ProductFactory.create()
    other = UserFactory.create(username="other")
    outer.set_current_user(staff)
    with use(Context.of_user(other)):
        with use(Context.of_user(None)):
            inner.stock = 1
            inner.save()
        outer.stock = 1
        outer.save()
    assert (last(outer).user_label, last(inner).user_label) == ("mara", "")


@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
def test_nobody_named_leaves_the_request_s_user(
    nobody: AnonymousUser | None, staff: User, last: Last
) -> None:
    """Naming None or an anonymous user is naming nobody."""
    product = Product(name="Widget", price="9.99")
    product.set_current_user(nobody)
    with use(Context.of_user(staff)):
        product.save()
    assert last(product).user == staff


def test_deleted_user_keeps_the_label(staff: User, last: Last) -> None:
    """An entry outlives its user, and still has the name."""
    product = Product(name="Widget", price="9.99")
    product.set_current_user(staff)
    product.save()
    assert last(product).user == staff
    staff.delete()
    log = last(product)
    assert (log.user, log.user_label) == (None, "mara")


def test_user_deleted_before_it_is_written(staff: User, last: Last) -> None:
    """So does one that is written only after the user is gone."""
    product = Product(name="Widget", price="9.99")
    product.set_current_user(staff)
    product.save()
    staff.delete()
    log = last(product)
    assert (log.user, log.user_label) == (None, "mara")


def test_user_who_deletes_themselves(staff: User, outbox: Outbox) -> None:
    """The actor of a deletion can be the one who is deleted."""
    with use(Context.of_user(staff)):
        staff.delete()
    outbox.drain()
    log = AuditLog.objects.get(model_label="auth.user", action="DELETE")
    assert (log.user, log.user_label, log.object_repr) == (None, "mara", "mara")
