"""Every user has a profile and an author."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from content.models import Author, Profile
from content.pictures import Picture
from tests.factories import UserFactory


def make_bare_user(username: str = "bare") -> User:
    """A user that no signal saw."""
    User.objects.bulk_create([User(username=username)])
    return User.objects.get(username=username)


@pytest.mark.django_db
class TestNewUser:
    """A user who is saved for the first time."""

    def test_success(self) -> None:
        """Has both in the database, and both loaded."""
        user = User.objects.create_user("john")
        assert Profile.objects.get(user=user) == user.profile
        assert Author.objects.get(user=user) == user.author

    def test_superuser(self) -> None:
        """createsuperuser makes both too."""
        call_command(
            "createsuperuser", username="root", email="root@example.com", interactive=False
        )
        root = User.objects.get(username="root")
        assert root.profile
        assert root.author

    def test_raw_fixture(self) -> None:
        """loaddata brings its own profiles: none is made before them."""
        data = serializers.serialize("json", [User(pk=900, username="loaded")])
        for loaded in serializers.deserialize("json", data):
            loaded.save()
        assert not Profile.objects.filter(user_id=900).exists()
        assert not Author.objects.filter(user_id=900).exists()


@pytest.mark.django_db
class TestUserSavedAgain:
    """A user who was there before."""

    def test_loaded_profile_is_saved(self) -> None:
        """With what was changed in it."""
        user = UserFactory()
        user.profile.birth_date = datetime.date(1990, 12, 31)
        user.save()
        assert Profile.objects.get(user=user).birth_date == datetime.date(1990, 12, 31)

    def test_loaded_profile_is_saved_by_partial_save(self) -> None:
        """Also when only some of the user's own fields are saved."""
        user = UserFactory()
        user.profile.bio = "Hello"
        user.save(update_fields=["last_login"])
        assert Profile.objects.get(user=user).bio == "Hello"

    def test_new_avatar_is_saved(self, settings: Settings, tmp_path: Path) -> None:
        """A picture that was assigned is stored."""
        settings.MEDIA_ROOT = tmp_path
        user = UserFactory()
        user.profile.avatar = Picture(b"a picture", name="me.png")
        user.save()
        with Profile.objects.get(user=user).avatar as stored:
            assert stored.read() == b"a picture"

    def test_unchanged_profile_is_not_saved(self) -> None:
        """So that an old copy doesn't overwrite what somebody else saved."""
        user = UserFactory()
        Profile.objects.filter(user=user).update(bio="By somebody else")
        user.save()
        assert Profile.objects.get(user=user).bio == "By somebody else"

    def test_loaded_and_unchanged_cost_nothing(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The UPDATE of the user is all."""
        user = UserFactory()
        with django_assert_num_queries(1):
            user.save()

    def test_unloaded_cost_one_query(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """One look whether both are there; they are not loaded for it."""
        user = User.objects.get(pk=UserFactory().pk)
        with django_assert_num_queries(2):
            user.save()
        assert not user._state.fields_cache

    def test_missing_are_created(self) -> None:
        """A user without a profile and an author gets them."""
        user = make_bare_user()
        user.save()
        assert Profile.objects.filter(user=user).count() == 1
        assert Author.objects.filter(user=user).count() == 1

    def test_missing_and_looked_for_are_created(self) -> None:
        """Also when somebody found before that there is none."""
        user = make_bare_user()
        assert not hasattr(user, "profile")
        user.save()
        assert user.profile == Profile.objects.get(user=user)

    def test_only_what_is_missing_is_created(self) -> None:
        """The other one stays as it is."""
        user = make_bare_user()
        kept = Author.objects.create(user=user, bio="Kept")
        user.save()
        assert Author.objects.get(user=user) == kept
        assert Profile.objects.filter(user=user).exists()


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    """Two requests that save the same user without a profile."""

    def test_both_succeed(self) -> None:
        """Both find none; one profile is there afterwards."""
        user, together = make_bare_user(), Barrier(2)

        def save(_: int) -> None:
            try:
                mine = User.objects.get(pk=user.pk)
                together.wait(timeout=30)
                mine.save()
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(save, range(2)))
        assert Profile.objects.filter(user=user).count() == 1
        assert Author.objects.filter(user=user).count() == 1
