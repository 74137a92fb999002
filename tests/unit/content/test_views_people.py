"""Signing up, logging in and out, and the profile."""

import datetime
import io
from pathlib import Path

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

from content.forms import SignupForm
from content.models import Profile
from tests.factories import PASSWORD, UserFactory

from .test_forms import TestSignupForm, picture

pytestmark = pytest.mark.django_db

DATA = TestSignupForm.DATA


class TestSignup:
    """A new user."""

    URL = reverse("signup")

    def test_success(self, client: Client) -> None:
        """Is logged in at once, with a profile and an author."""
        response = client.post(self.URL, DATA, follow=True)
        assertContains(response, "Welcome, ann.")
        user = User.objects.get(username="ann")
        assert get_user(client) == user
        assert user.email == "ann@example.com"
        assert user.profile
        assert user.author

    def test_fail_invalid(self, client: Client) -> None:
        """The form says what is wrong; nobody is created."""
        page = client.post(self.URL, DATA | {"email": ""})
        assertContains(page, "Enter an email address, such as name@example.com.")
        assert not User.objects.exists()

    def test_fail_name_just_taken(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody else takes the name between the look and the INSERT."""

        save = SignupForm.save

        def lose_the_race(form: SignupForm, commit: bool = True) -> User:
            UserFactory(username=DATA["username"])
            return save(form, commit)

        monkeypatch.setattr(SignupForm, "save", lose_the_race)
        assertContains(client.post(self.URL, DATA), "already exists")

    def test_logged_in(self, client: Client) -> None:
        """Has no use for it."""
        client.force_login(UserFactory())
        assertRedirects(client.get(self.URL), "/")


class TestLogin:
    """Logging in and out."""

    URL = reverse("login")

    def test_success(self, client: Client) -> None:
        """Goes where the user wanted to go."""
        user = UserFactory()
        data = {"username": user.username, "password": PASSWORD, "next": "/profile/"}
        assertRedirects(client.post(self.URL, data), "/profile/")

    def test_fail_wrong_password(self, client: Client) -> None:
        """Says so, without saying which of both was wrong."""
        user = UserFactory()
        page = client.post(self.URL, {"username": user.username, "password": "wrong"})
        assertContains(page, "Please enter a correct username and password.")

    def test_fail_other_site(self, client: Client) -> None:
        """A next page elsewhere is ignored."""
        data = {"username": UserFactory().username, "password": PASSWORD}
        response = client.post(self.URL, data | {"next": "https://example.org/"})
        assertRedirects(response, "/")

    def test_log_out(self, client: Client) -> None:
        """By POST."""
        client.force_login(UserFactory())
        assert client.get(reverse("logout")).status_code == 405
        assertRedirects(client.post(reverse("logout")), "/")
        assert get_user(client).is_anonymous


class TestProfileEdit:
    """The user's own profile."""

    URL = reverse("profile-edit")

    @pytest.fixture(autouse=True)
    def media(self, settings: Settings, tmp_path: Path) -> None:
        """Uploads go where nobody looks."""
        settings.MEDIA_ROOT = tmp_path

    @pytest.fixture
    def user(self, client: Client) -> User:
        """Who is logged in."""
        user = UserFactory()
        client.force_login(user)
        return user

    def test_success(self, client: Client, user: User) -> None:
        """Everything is saved, and the form shows it."""
        data = {"bio": "Hello", "location": "Bonn", "birth_date": "1990-12-31"}
        response = client.post(self.URL, data | {"avatar": picture()}, follow=True)
        assertContains(response, "Your profile is saved.")
        assertContains(response, 'value="1990-12-31"')
        profile = Profile.objects.get(user=user)
        assert (profile.bio, profile.location) == ("Hello", "Bonn")
        assert profile.birth_date == datetime.date(1990, 12, 31)

    def test_avatar_is_shown(self, client: Client, user: User) -> None:
        """On the author's page, as the picture that it is."""
        client.post(self.URL, {"avatar": picture()})
        address = Profile.objects.get(user=user).avatar.url
        assertContains(client.get(user.author.get_absolute_url()), address)
        response = client.get(address)
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        with Image.open(io.BytesIO(response.getvalue())) as shown:
            assert (shown.format, shown.size) == ("PNG", (1, 1))

    def test_user_without_profile(self, client: Client, user: User) -> None:
        """One that a fixture made gets one now."""
        Profile.objects.all().delete()
        assert client.get(self.URL).status_code == 200
        assert Profile.objects.filter(user=user).exists()

    def test_fail_invalid(self, client: Client, user: User) -> None:
        """Nothing is saved."""
        page = client.post(self.URL, {"bio": "Hello", "birth_date": "9999-01-01"})
        assertContains(page, "A date of birth can&#x27;t be in the future.")
        assert Profile.objects.get(user=user).bio == ""

    def test_fail_anonymous(self, client: Client) -> None:
        """Has to log in first."""
        assertRedirects(client.get(self.URL), f"/login/?next={self.URL}")

    @pytest.mark.parametrize("name", ["none.png", "..", "../db.sqlite3", ".hidden"])
    def test_fail_no_such_picture(self, client: Client, name: str) -> None:
        """Nothing but pictures is there."""
        assert client.get(f"/media/avatars/{name}").status_code == 404
