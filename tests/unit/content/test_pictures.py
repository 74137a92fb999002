"""Uploaded pictures: what is kept of them, and which are refused."""

from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from content.forms import ProfileForm
from content.models import Profile
from content.pictures import SIDE, remake
from tests.factories import UserFactory

ORIENTATION, MAKER = 0x0112, 0x010F


def upload(kind: str, size: tuple[int, int] = (40, 20), name: str = "a.png") -> SimpleUploadedFile:
    """A picture that a camera made, turned, with its maker in the file."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "secret-maker"
    content = BytesIO()
    Image.new("RGB", size, "red").save(content, kind, exif=exif)
    return SimpleUploadedFile(name, content.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_made_anew(kind: str) -> None:
    """By its content, whatever its name is: upright, without what the camera knew."""
    made = remake(upload(kind))
    assert b"secret-maker" not in made.read()
    made.seek(0)
    with Image.open(made) as picture:
        assert (picture.format, picture.size, dict(picture.getexif())) == ("PNG", (20, 40), {})


def test_a_large_picture_is_made_small() -> None:
    """As large as pages need it."""
    with Image.open(remake(upload("JPEG", (4000, 1000)))) as picture:
        assert max(picture.size) == SIDE


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_fail_another_format(kind: str) -> None:
    """Also under the name of one that is taken."""
    with pytest.raises(ValidationError, match="no PNG, JPEG or WebP"):
        remake(upload(kind, name="a.png"))


@pytest.mark.parametrize("side", [5000, 20_000])
def test_fail_bomb(side: int) -> None:
    """A few kilobytes that are gigabytes once they are decoded: refused before that."""
    content = BytesIO()
    Image.new("1", (side, side)).save(content, "PNG")
    assert len(content.getvalue()) < 100_000
    with pytest.raises(ValidationError):
        remake(SimpleUploadedFile("a.png", content.getvalue()))


@pytest.mark.django_db
def test_the_form_keeps_what_was_made() -> None:
    """Under a name that tells nothing."""
    file = upload("JPEG", name="my-secret-holiday.jpg")
    form = ProfileForm({}, {"avatar": file}, instance=Profile(user=UserFactory()))
    assert form.is_valid(), form.errors
    kept = form.cleaned_data["avatar"]
    assert "holiday" not in kept.name
    assert b"secret-maker" not in kept.read()


@pytest.mark.django_db
def test_a_gif_of_an_earlier_version_stays() -> None:
    """Its profile can still be saved."""
    profile = Profile(user=UserFactory(), avatar="avatars/old.gif")
    assert ProfileForm({"bio": "Hello"}, instance=profile).is_valid()
