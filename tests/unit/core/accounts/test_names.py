"""What a name may be, for who signs up and for who makes users in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django.asserts import assertContains

from core.accounts.models import Name
from core.accounts.names import RESERVED, skeleton, validate_name
from tests.people import make_user
from tests.unit.core.accounts.pages import sign_up

BAD = [
    *(".", "..", "a.b", "a@b", "a b", "1a", "_a", "-a", "a/b", "a+b", "a\n", "a\u200bb"),
    *("\u00e4nn", "\u0430nn"),  # an umlaut, and a Cyrillic letter that looks like an a
]


class TestSkeleton:
    """What a reader sees."""

    @pytest.mark.parametrize(
        ("name", "other"),
        [
            ("Ann", "ann"), ("O0", "00"), ("paul", "pau1"), ("Ian", "lan"), ("bill", "BIIL"),
            ("modern", "modem"), ("vvolf", "wolf"), ("a_b", "a-b"), ("a__b", "a_b"),
            ("\uff41nn", "ann"),
            ("\u212a", "k"), ("straße", "STRASSE"),
        ],
    )  # fmt: skip
    def test_alike(self, name: str, other: str) -> None:
        """These are one name to a reader."""
        assert skeleton(name) == skeleton(other)

    @pytest.mark.parametrize(
        ("name", "other"), [("ann", "anna"), ("a_b", "ab"), ("a1", "a2"), ("man", "nan")]
    )
    def test_different(self, name: str, other: str) -> None:
        """These are two."""
        assert skeleton(name) != skeleton(other)

    def test_users_of_the_tests_and_numbers(self) -> None:
        """Numbers stay apart, whatever letters stand for their digits."""
        assert len({skeleton(f"user{n}") for n in range(3000)}) == 3000

    def test_long(self) -> None:
        """A name from before whose letters are written out has a skeleton that fits."""
        assert len(skeleton("\ufdfa" * 150)) == 150


class TestRules:
    """What may be a name at all."""

    @pytest.mark.parametrize("name", BAD)
    def test_fail_bad(self, name: str) -> None:
        """A name has letters of ASCII, digits, _ and -, with a letter first."""
        with pytest.raises(ValidationError, match="begins with one of the letters a to z"):
            validate_name(name)

    @pytest.mark.parametrize("name", [*RESERVED.split(), "Adm1n", "r00t", "SUPPORT"])
    def test_fail_reserved(self, name: str) -> None:
        """Nobody looks like those who run the site."""
        with pytest.raises(ValidationError, match="looks like a name of the site itself"):
            validate_name(name)


@pytest.mark.django_db
class TestSignUp:
    """A name that somebody chooses."""

    @pytest.mark.parametrize("name", ["a", "Ann", "ann-marie_2", "x" * 150])
    def test_good(self, client: Client, name: str) -> None:
        """Letters, digits, _ and -, with a letter first. The case stays."""
        assert sign_up(client, username=name, email="ann@example.com").status_code == 302
        assert User.objects.get().username == name

    @pytest.mark.parametrize("name", ["..", "a@b", "", "x" * 151, "Adm1n"])
    def test_fail(self, client: Client, name: str) -> None:
        """What is no name, too long, or the site's own is refused at its field."""
        page = sign_up(client, username=name, email="ann@example.com")
        assert page.context["form"].errors["username"]

    @pytest.mark.parametrize("name", ["ann-mar1e", "ANN-MARIE", "ann_marie", "ann--rnarie"])
    def test_fail_taken(self, client: Client, name: str) -> None:
        """Nobody looks like another user."""
        make_user("Ann-Marie")
        page = sign_up(client, username=name, email="a@example.com")
        assertContains(page, "or one that looks like it")

    def test_fail_taken_by_a_user_without_a_row(self, client: Client) -> None:
        """A user that was loaded from a file, or made by the thousand, has a name too."""
        User.objects.bulk_create([User(username="Ann")])
        assert sign_up(client).context["form"].errors["username"]

    def test_free_again(self, client: Client) -> None:
        """The name of a user who is gone is free."""
        make_user("ann").delete()
        assert sign_up(client, email="ann2@example.com").status_code == 302


@pytest.mark.django_db
class TestDatabase:
    """The rule holds in the database, whoever writes."""

    def test_fail_two(self) -> None:
        """Two users can't look alike."""
        make_user("ann")
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create_user("Ann")

    def test_renamed(self) -> None:
        """A new name is taken, and the old one is free."""
        user = make_user("ann")
        user.username = "bea"
        user.save()
        assert [*Name.objects.values_list("skeleton", flat=True)] == ["bea"]
        make_user("ann", email="")

    def test_what_is_not_saved_is_no_name(self) -> None:
        """A save of other fields takes no name."""
        user = make_user("ann")
        user.username = "bea"
        user.save(update_fields=["first_name"])
        assert Name.objects.get().skeleton == "ann"

    def test_saved_again_costs_nothing(self, django_assert_num_queries: Any) -> None:
        """A user whose name stays costs no statement more."""
        user = make_user("ann")
        with django_assert_num_queries(1):
            user.save(update_fields=["first_name"])


@pytest.mark.django_db
class TestAdmin:
    """The admin's forms follow the same rules."""

    @pytest.fixture
    def admin(self, client: Client) -> Client:
        """Return the browser of a superuser."""
        client.force_login(make_user("boss", is_staff=True, is_superuser=True))
        return client

    def add(self, admin: Client, name: str) -> Any:
        """Send the form of a new user."""
        secret = "another-horse-battery"
        form = {"username": name, "usable_password": "true"}
        return admin.post(
            "/admin/auth/user/add/", form | {"password1": secret, "password2": secret}
        )

    @pytest.mark.parametrize("name", ["..", "a.b", "root", "b0ss", "\u00e4nn"])
    def test_fail_new(self, admin: Client, name: str) -> None:
        """A new user has such a name no more than who signs up."""
        assert self.add(admin, name).context["adminform"].form.errors["username"]

    def test_new(self, admin: Client) -> None:
        """A good one is taken."""
        assert self.add(admin, "ann").status_code == 302
        assert Name.objects.filter(skeleton="ann").exists()

    def change(self, admin: Client, user: User, **fields: str) -> Any:
        """Send the form of a user."""
        form = {"username": user.username, "email": user.email, "is_active": "on"}
        form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        return admin.post(f"/admin/auth/user/{user.pk}/change/", form | fields)

    def test_from_before(self, admin: Client) -> None:
        """A user from before keeps a name that nobody could choose now."""
        user = make_user("ann.from.before")
        assert self.change(admin, user, first_name="Ann").status_code == 302
        assert User.objects.get(pk=user.pk).first_name == "Ann"

    def test_renamed(self, admin: Client) -> None:
        """Another case of one's own name is no other user's."""
        user = make_user("ann")
        assert self.change(admin, user, username="Ann").status_code == 302
        assert self.change(admin, user, username="boss").status_code == 200
        assert self.change(admin, user, username="a..").status_code == 200
