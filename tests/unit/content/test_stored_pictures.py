"""The file of a picture goes when nobody shows it any more, and not before."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from aftercommit.models import OutboxCall
from aftercommit.operations.calls import retry_calls
from aftercommit.worker.drain import drain_all
from content import tasks
from content.forms import ProfileForm
from content.models import Profile
from tests.factories import UserFactory
from tests.unit.content.test_pictures import upload

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """The folder of the uploads."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def with_picture() -> Profile:
    """A profile with a picture, whose file is there."""
    profile: Profile = UserFactory().profile
    profile.avatar = upload("PNG")
    profile.save()
    return profile


def files(media: Path) -> set[str]:
    """The files that are there once everything is settled."""
    assert drain_all().dead == 0
    return {path.relative_to(media).as_posix() for path in media.rglob("*.png")}


def replace(profile: Profile) -> None:
    """Upload another one."""
    profile.avatar = upload("JPEG")
    profile.save()


def clear(profile: Profile) -> None:
    """Tick the page's box."""
    form = ProfileForm({"avatar-clear": "on"}, instance=Profile.objects.get(pk=profile.pk))
    form.save()


WAYS: list[Callable[[Profile], Any]] = [
    replace,
    clear,
    lambda profile: profile.delete(),
    lambda profile: profile.user.delete(),
    lambda profile: Profile.objects.filter(pk=profile.pk).delete(),
    lambda profile: User.objects.filter(pk=profile.user_id).delete(),
    lambda profile: Profile.objects.only("pk").get(pk=profile.pk).delete(),
]
NAMES = ["replaced", "cleared", "deleted", "user", "queryset", "users", "deferred"]


@pytest.mark.parametrize("change", WAYS, ids=NAMES)
class TestOldPicture:
    """Of a profile that shows another, or none, or is gone."""

    def test_is_deleted(self, change: Callable[[Profile], Any], media: Path) -> None:
        """Once that is committed, and by a worker."""
        profile = with_picture()
        old, other = str(profile.avatar), str(with_picture().avatar)
        change(profile)
        assert (media / old).exists()
        assert old not in files(media)
        assert other in files(media)

    def test_stays_after_a_rollback(self, change: Callable[[Profile], Any], media: Path) -> None:
        """The profile shows it still."""
        profile = with_picture()
        old = str(profile.avatar)
        with transaction.atomic():
            change(profile)
            transaction.set_rollback(True)
        assert old in files(media)


@pytest.mark.every_database
def test_deleted_on_every_database(media: Path) -> None:
    """With the lock and the comparison of each."""
    first, second = with_picture(), with_picture()
    replace(first)
    second.user.delete()
    assert files(media) == {str(first.avatar)}


def test_two_changes_at_once(media: Path) -> None:
    """Only the last picture stays, also within one transaction."""
    profile = with_picture()
    with transaction.atomic():
        replace(profile)
        replace(profile)
    assert files(media) == {str(profile.avatar)}


def test_back_to_the_first(media: Path) -> None:
    """What is shown in the end stays, whatever was between."""
    profile = with_picture()
    first = str(profile.avatar)
    with transaction.atomic():
        replace(profile)
        profile.avatar = first
        profile.save()
    assert files(media) == {first}


def test_picture_of_two(media: Path) -> None:
    """Stays until the second doesn't show it, either."""
    profile = with_picture()
    name = str(profile.avatar)
    sharing = UserFactory().profile
    sharing.avatar = name
    sharing.save()
    profile.delete()
    assert files(media) == {name}
    sharing.delete()
    assert files(media) == set()


def test_other_changes_keep_it(media: Path) -> None:
    """Nothing is called for a profile's other fields, nor for one without a picture."""
    profile = with_picture()
    profile.bio = "Hello"
    profile.save()
    UserFactory().profile.delete()
    assert not OutboxCall.objects.filter(task=tasks.delete_picture.name).exists()
    assert files(media) == {str(profile.avatar)}


def test_file_that_is_gone(media: Path) -> None:
    """Is what was wanted."""
    profile = with_picture()
    (media / str(profile.avatar)).unlink()
    profile.delete()
    assert files(media) == set()


def test_storage_that_fails(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is tried again, and is seen in the end. It deletes the file when it is retried."""
    profile = with_picture()
    old = str(profile.avatar)
    profile.delete()
    calls = OutboxCall.objects.filter(task=tasks.delete_picture.name)
    with monkeypatch.context() as broken:
        broken.setattr(FileSystemStorage, "delete", fail)
        assert drain_all().dead == 0
        assert calls.get().status == OutboxCall.Status.PENDING
        calls.update(attempts=24, available_at=timezone.now() - timedelta(days=1))
        assert drain_all().dead == 1
    assert "the disk is away" in calls.get().error
    assert old in files(media)
    retry_calls(calls.all())
    assert files(media) == set()


def fail(*args: Any) -> None:
    """As a storage that can't be reached."""
    raise OSError("the disk is away")


class TestDeleteOrphans:
    """What no profile shows, and no call deletes."""

    def test_rolled_back_upload(self, media: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Is deleted a day later, by the command. What is shown, or new, stays."""
        shown, new = str(with_picture().avatar), "avatars/new.png"
        with transaction.atomic():
            orphan = str(with_picture().avatar)
            transaction.set_rollback(True)
        (media / new).write_bytes(b"")
        for name in (shown, orphan):
            os.utime(media / name, (time.time() - 2 * DAY,) * 2)
        call_command("delete_orphaned_pictures")
        assert capsys.readouterr().out == "Deleted 1 pictures that no profile shows.\n"
        assert files(media) == {shown, new}

    def test_beat_asks_for_it(self, settings: Any) -> None:
        """Once a day."""
        names = [each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()]
        assert tasks.delete_orphaned_pictures.name in names
        assert tasks.delete_orphaned_pictures() == 0

    def test_nothing_uploaded(self, capsys: pytest.CaptureFixture[str]) -> None:
        """There is no folder yet."""
        call_command("delete_orphaned_pictures")
        assert "Deleted 0" in capsys.readouterr().out
