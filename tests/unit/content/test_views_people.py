"""Signing up, logging in and out, and the profile."""

import datetime
import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

from content.models import Profile
from tests.factories import UserFactory

from .test_forms import picture

pytestmark = pytest.mark.django_db


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
