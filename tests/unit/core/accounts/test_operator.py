"""What an operator does: verifies addresses by a command or in the admin, and upgrades."""

import io
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from core.accounts.addresses import verified_address
from core.accounts.models import Name
from tests.people import make_user

pytestmark = pytest.mark.django_db


def verify(*names: str, **options: Any) -> str:
    """Run the command, and return what it says."""
    out = io.StringIO()
    call_command("verify_address", *names, stdout=out, **options)
    return out.getvalue()


class TestCommand:
    """``manage.py verify_address``."""

    def test_some(self) -> None:
        """The named users' addresses are verified, and no others."""
        ann = User.objects.create_user("ann", "Ann@Example.com")
        bob = User.objects.create_user("bob", "bob@example.com")
        assert verify("ann") == "ann: ann@example.com is verified.\n"
        assert verified_address(ann) == "ann@example.com"
        assert verified_address(bob) is None
        assert verify("ann") == ""

    def test_waits(self) -> None:
        """Who signed up, and lost the mail, can log in then."""
        ann = make_user("ann", verified=False)
        verify("ann")
        assert verified_address(ann) == "ann@example.com"

    def test_all(self) -> None:
        """Everybody's, but for who has none or is locked out."""
        User.objects.create_user("ann", "ann@example.com")
        User.objects.create_user("bob")
        User.objects.create_user("eve", "eve@example.com", is_active=False)
        assert verify(all=True) == "ann: ann@example.com is verified.\n"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("nobody", "There is no user nobody."),
            ("bob", "bob has no address."),
            ("eve", "The address of eve is another account's, verified."),
        ],
    )
    def test_fail(self, name: str, said: str) -> None:
        """It says why, and verifies the others."""
        make_user("ann")
        User.objects.create_user("bob")
        User.objects.create_user("eve", "ann@example.com")
        dan = User.objects.create_user("dan", "dan@example.com")
        with pytest.raises(CommandError, match=said):
            verify(name) if name == "nobody" else verify(name, "dan")
        assert (verified_address(dan) is None) == (name == "nobody")

    def test_fail_nobody_named(self) -> None:
        """It wants names, or --all."""
        with pytest.raises(CommandError):
            verify()


class TestAdmin:
    """The pages of addresses."""

    @pytest.fixture
    def admin(self, client: Client) -> Client:
        """Return the browser of a superuser."""
        client.force_login(make_user("boss", is_staff=True, is_superuser=True))
        return client

    def test_new_address(self, admin: Client) -> None:
        """A primary one is the user's from then on."""
        ann = User.objects.create_user("ann", "old@example.com")
        form = {"user": ann.pk, "email": "New@Example.com", "primary": "on", "verified": "on"}
        admin.post("/admin/account/emailaddress/add/", form)
        assert verified_address(ann) == "new@example.com"

    def test_mark(self, admin: Client) -> None:
        """An unverified one is marked as verified."""
        ann = make_user("ann", verified=False)
        row = EmailAddress.objects.get(user=ann)
        form = {"action": "make_verified", "_selected_action": row.pk}
        admin.post("/admin/account/emailaddress/", form)
        assert verified_address(ann) == "ann@example.com"


def test_upgrade() -> None:
    """The users from before have their names, but for who looks like an earlier one."""
    users = [User(username=name) for name in ("ann", "ANN-", "Ann1", "annl", "j.d.", "zoé")]
    User.objects.bulk_create(users)
    Name.objects.all().delete()
    migration = import_module("core.accounts.migrations.0001_names")
    migration.take_names(apps, SimpleNamespace(connection=connection))
    named = Name.objects.order_by("user").values_list("user__username", flat=True)
    assert [*named] == ["ann", "ANN-", "Ann1", "j.d.", "zoé"]


def test_upgrade_locks_nobody_out(client: Client) -> None:
    """A user from before logs in, and has no mail before the address is verified."""
    ann = User.objects.create_user("ann", "ann@example.com", "correct-horse-battery")
    client.post("/login/", {"login": "ann@example.com", "password": "correct-horse-battery"})
    assert client.get("/profile/").status_code == 200
    assert verified_address(ann) is None
