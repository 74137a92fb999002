"""Log-ins that failed: what is kept of them, who reads it, and what a flood of them leaves."""

import logging
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from core.logins.attempts import code_of, find_user_id
from core.logins.models import FailedLogin
from tests.factories import PASSWORD, UserFactory
from tests.throttles import limit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mara() -> User:
    """Return a user who can log in."""
    user: User = UserFactory(username="mara", is_staff=True)
    drain_all()
    return user


def try_login(name: str, typed: str = "x", path: str = "/login/", **kwargs: Any) -> int:
    """Try to log in, and return the answer's status."""
    form = {"username": name, "login": name, "password": typed}
    return Client().post(path, form, **kwargs).status_code


def failed() -> FailedLogin:
    """Return the one row that is written once everything is settled."""
    assert drain_all().dead == 0
    return FailedLogin.objects.get()


class TestRow:
    """What a row has."""

    def test_known(self, mara: User) -> None:
        """When, as whom, from where, with what, and on which page."""
        before = timezone.now()
        agent = {"User-Agent": "Lynx"}
        assert try_login("mara", REMOTE_ADDR="192.0.2.7", headers=agent) == 200
        row = failed()
        assert before <= row.at <= timezone.now()
        assert (row.user, row.unknown) == (mara, "")
        assert (row.address, row.user_agent, row.page) == ("192.0.2.7", "Lynx", "/login/")

    def test_by_address(self, mara: User) -> None:
        """Who tries with a user's mail address is counted to the user."""
        try_login(mara.email.upper())
        assert failed().user == mara

    @pytest.mark.parametrize("typed", ["my-secret-1", "my@secret.1", "MARA\x1b[2J"])
    def test_unknown(self, typed: str, caplog: pytest.LogCaptureFixture) -> None:
        """A name that nobody has may be a password. Neither row, outbox nor log has it."""
        try_login(typed)
        stored = "".join(OutboxCall.objects.values_list("payload", flat=True))
        row = failed()
        everything = stored + caplog.text + str(vars(row))
        assert typed not in everything
        assert typed.casefold() not in everything.casefold()
        assert row.user is None
        assert row.unknown == code_of(typed)

    def test_code(self, settings: Settings) -> None:
        """It tells one name from another, and without the site's key nobody can make it."""
        assert code_of("one") == code_of(" ONE ") != code_of("two")
        before = code_of("one")
        settings.SECRET_KEY = "another-" * 8
        assert code_of("one") != before

    def test_bounded(self, mara: User) -> None:
        """What a client sends is cut, and has no control characters."""
        try_login("mara", headers={"User-Agent": "\x1b[2J\n\x00" + "x" * 5000})
        row = failed()
        assert row.user_agent.startswith("\\x1b[2J \\x00xx")
        assert len(row.user_agent) == 200

    def test_long_name(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        """A text that is too long for a name is not looked for. It is an unknown one."""
        assert find_user_id("x" * 254) is None
        with django_assert_num_queries(0):
            assert find_user_id("x" * 255) is None

    def test_no_request(self, mara: User) -> None:
        """A program that asks for a user has neither address nor page."""
        assert authenticate(username="mara", password="x") is None
        assert (failed().user, failed().address) == (mara, "")

    def test_success(self, mara: User) -> None:
        """A log-in that succeeds leaves none."""
        assert try_login("mara", PASSWORD) == 302
        drain_all()
        assert not FailedLogin.objects.exists()

    @pytest.mark.every_database
    def test_user_deleted(self, mara: User) -> None:
        """A row stays without its user, also if the user goes before it is written."""
        try_login("mara")
        mara.delete()
        assert failed().user is None

    def test_rolled_back(self, mara: User, caplog: pytest.LogCaptureFixture) -> None:
        """The row goes with the transaction of who asked, and the line stays in the log."""
        with transaction.atomic():
            authenticate(username="mara", password="x")
            transaction.set_rollback(True)
        drain_all()
        assert not FailedLogin.objects.exists()
        assert "A log-in failed" in caplog.text


class TestFlood:
    """A flood of failed log-ins."""

    def test_throttled(self, mara: User, settings: Settings) -> None:
        """An attempt that is one too many is not looked at, and leaves no row."""
        limit(settings, login="2/1m/address")
        assert [try_login("mara") for _ in range(4)] == [200, 200, 429, 429]
        drain_all()
        assert FailedLogin.objects.count() == 2

    def test_many_addresses(
        self, mara: User, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        """From however many addresses they come, the rows are bounded. The log has them all."""
        limit(settings, login="1/1m/address", record="3/1m/site")
        for number in range(5):
            assert try_login("mara", REMOTE_ADDR=f"192.0.2.{number}") == 200
        drain_all()
        assert FailedLogin.objects.count() == 3
        assert caplog.text.count("A log-in failed") == 5


def test_line(mara: User, caplog: pytest.LogCaptureFixture) -> None:
    """The log has who and from where at once, without the name."""
    with caplog.at_level(logging.WARNING, "core.logins"):
        try_login("mara", REMOTE_ADDR="192.0.2.7")
    (line,) = [each for each in caplog.records if each.name == "core.logins.receivers"]
    assert line.getMessage() == (
        f"A log-in failed on /login/, from 192.0.2.7. User: {mara.pk}. Unknown name: "
    )


def test_costs(mara: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """It costs a query for the user and the INSERT of the call, for any name alike."""
    for name in ("mara", "nobody"):
        with django_assert_num_queries(3 + 2):  # three look for the user to check the password
            try_login(name)


class TestAdmin:
    """The page for members of staff."""

    LIST = "/admin/logins/failedlogin/"

    def browser(self, *permissions: str) -> Client:
        """Return a browser of a member of staff with these permissions."""
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    def test_read(self, mara: User) -> None:
        """Who may view them sees whom and from where, and can change nothing."""
        row = FailedLogin.objects.create(at=timezone.now(), user=mara, address="192.0.2.7")
        FailedLogin.objects.create(at=timezone.now(), unknown="3f9a1c2b")
        client = self.browser("view_failedlogin")
        page = client.get(self.LIST).content.decode()
        assert "mara" in page
        assert "192.0.2.7" in page
        assert "unknown (3f9a1c2b)" in page
        assert client.get(f"{self.LIST}{row.pk}/change/").status_code == 200
        assert client.post(f"{self.LIST}{row.pk}/delete/").status_code == 403

    def test_fail_read(self, mara: User) -> None:
        """Other members of staff don't."""
        assert self.browser().get(self.LIST).status_code == 403

    def test_queries(self, mara: User, django_assert_max_num_queries: Any) -> None:
        """The list takes as many queries for fifty rows as for one."""
        rows = [FailedLogin(at=timezone.now(), user=mara) for _ in range(50)]
        FailedLogin.objects.bulk_create(rows)
        client = self.browser("view_failedlogin")
        with django_assert_max_num_queries(10):
            client.get(self.LIST)
