"""Uploaded pictures: what is kept of them, and which are refused."""

import zlib
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import modelform_factory
from django.test import RequestFactory
from PIL import Image

from content import pictures
from content.forms import ProfileForm
from content.models import Profile
from content.pictures import MAX_BYTES, MAX_SCANS, SIDE, remake
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


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The content of a picture's file."""
    content = BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def colour(content: bytes) -> Any:
    """The colour of what is kept, which is of one colour."""
    with Image.open(remake(ContentFile(content))) as kept:
        return kept.getpixel((5, 5))


class TestModes:
    """Each kind of pixels becomes red, green, blue and opacity of 8 bits each."""

    @pytest.mark.parametrize(
        ("mode", "fill", "kind", "options", "expected"),
        [
            ("1", 1, "PNG", {}, (255, 255, 255, 255)),
            ("L", 7, "PNG", {}, (7, 7, 7, 255)),
            ("L", 7, "PNG", {"transparency": 7}, (7, 7, 7, 0)),
            ("LA", (7, 50), "PNG", {}, (7, 7, 7, 50)),
            ("RGB", (1, 2, 3), "PNG", {"transparency": (1, 2, 3)}, (1, 2, 3, 0)),
            ("RGBA", (1, 2, 3, 4), "PNG", {}, (1, 2, 3, 4)),
            ("I;16", 40_000, "PNG", {}, (156, 156, 156, 255)),
            ("CMYK", (0, 255, 255, 0), "JPEG", {}, (255, 0, 0, 255)),
        ],
    )
    def test_colour(self, mode: str, fill: Any, kind: str, options: Any, expected: Any) -> None:
        """It looks as it did."""
        picture = Image.new(mode, (20, 10), fill)
        kept = colour(encoded(picture, kind, **options))
        assert kept == pytest.approx(expected, abs=2)

    def test_palette_with_transparency(self) -> None:
        """What was transparent is so."""
        picture = Image.new("P", (20, 10), 1)
        picture.putpalette([0, 0, 0, 200, 100, 50])
        assert colour(encoded(picture, "PNG")) == (200, 100, 50, 255)
        assert colour(encoded(picture, "PNG", transparency=1))[3] == 0

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_animation_is_its_first_picture(self, kind: str) -> None:
        """Nothing moves, and what comes later isn't kept."""
        first, later = (Image.new("RGB", (20, 10), each) for each in ("red", "blue"))
        content = encoded(first, kind, save_all=True, append_images=[later] * 30, lossless=True)
        assert colour(content) == (255, 0, 0, 255)
        with Image.open(remake(ContentFile(content))) as kept:
            assert getattr(kept, "n_frames", 1) == 1

    def test_several_pictures_of_a_camera(self) -> None:
        """A JPEG that has more pictures behind it is the first."""
        first, later = (Image.new("RGB", (20, 10), each) for each in ("white", "black"))
        content = encoded(first, "MPO", save_all=True, append_images=[later])
        assert colour(content) == (255, 255, 255, 255)

    def test_what_hides_behind_a_picture_is_left_out(self) -> None:
        """A file that is a picture and a page in one is only a picture."""
        content = encoded(Image.new("RGB", (20, 10)), "PNG") + b"<script>alert(1)</script>"
        assert b"script" not in remake(ContentFile(content)).read()

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF")
    def test_damaged_exif_turns_nothing(self) -> None:
        """The picture is kept as it lies."""
        for damage in (
            b"Exif\0\0QM\0*\0\0\0\x08\0\0",
            b"Exif\0\0",
            b"Exif\0\0QM\0*\0\0\0\x08\0\0",
            b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
            b"Exif\0\0II*\0" + b"\xff" * 40,
        ):
            content = encoded(Image.new("RGB", (20, 10)), "JPEG", exif=damage)
            with Image.open(remake(ContentFile(content))) as kept:
                assert kept.size == (20, 10)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PNG = encoded(Image.new("RGB", (200, 100), "red"), "PNG")


def png_that_says(width: int, height: int) -> bytes:
    """A short PNG whose header tells of a size that its data doesn't have."""
    header = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + PNG[24:29]
    return PNG[:12] + header + zlib.crc32(header).to_bytes(4) + PNG[33:]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SVG, id="svg"),
        pytest.param(b"", id="empty"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0", id="postscript"),
        pytest.param(PNG[:-30], id="truncated"),
        pytest.param(png_that_says(0, 10), id="no width"),
        pytest.param(png_that_says(2**31 - 1, 2**31 - 1), id="immense"),
        pytest.param(png_that_says(10_000, 10_000), id="beyond Pillow's warning"),
        pytest.param(png_that_says(4000, 4000), id="large"),
        pytest.param(b"\xff\xd8" + b"\xff\xda" * (MAX_SCANS + 1), id="passes"),
        pytest.param(PNG + b" " * MAX_BYTES, id="too many bytes"),
    ],
)
class TestRefused:
    """The same sentence wherever the file comes from, and nothing is stored."""

    def test_by_the_page(self, content: bytes) -> None:
        """The form says it at the field."""
        form = ProfileForm({}, {"avatar": SimpleUploadedFile("a.png", content)})
        assert not form.is_valid()
        assert list(form.errors) == ["avatar"]

    def test_by_the_admin(self, content: bytes, rf: RequestFactory) -> None:
        """So does the admin's form."""
        request = rf.get("/")
        request.user = AnonymousUser()
        form_class: Any = admin.site._registry[Profile].get_form(request)
        form = form_class({}, {"avatar": SimpleUploadedFile("a.png", content)})
        assert "avatar" in form.errors

    @pytest.mark.django_db
    def test_by_code(self, content: bytes, settings: Any, tmp_path: Any) -> None:
        """A save raises it, and so does the file's own."""
        settings.MEDIA_ROOT = tmp_path
        profile = UserFactory().profile
        profile.avatar = ContentFile(content, name="a.png")
        with pytest.raises(ValidationError):
            profile.save()
        with pytest.raises(ValidationError):
            profile.avatar.save("a.png", ContentFile(content))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (PNG + b" " * MAX_BYTES, "too_large"),
        (png_that_says(4000, 4000), "too_many_pixels"),
        (encoded(Image.new("L", (5000, 4900)), "JPEG"), "too_many_pixels"),
        (b"\xff\xd8" + b"\xff\xda" * (MAX_SCANS + 1), "too_many_scans"),
        (SVG, "no_picture"),
    ],
)
def test_reason(content: bytes, code: str) -> None:
    """It says what is wrong, before anything is decoded."""
    with pytest.raises(ValidationError) as refused:
        remake(ContentFile(content))
    assert refused.value.code == code


def test_long_name_of_an_upload() -> None:
    """Is no matter, since it isn't kept."""
    form = ProfileForm({}, {"avatar": upload("PNG", name=f"{'a' * 200}.png")})
    assert form.is_valid(), form.errors


@pytest.mark.django_db
def test_code_s_picture_is_made_anew(settings: Any, tmp_path: Any) -> None:
    """Whatever saves it, and whatever its name was."""
    settings.MEDIA_ROOT = tmp_path
    profile = UserFactory().profile
    profile.avatar = upload("JPEG", name="../../holiday.exe")
    profile.save()
    assert "holiday" not in str(profile.avatar)
    assert str(profile.avatar).endswith(".png")
    profile.avatar.save("holiday.jpg", upload("WEBP"))
    with profile.avatar.open() as file, Image.open(file) as kept:
        assert (kept.format, kept.size) == ("PNG", (20, 40))


def test_no_other_decoder_looks_at_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's other plugins have had faults of their own. None of them is asked."""
    asked = []

    def refuse(name: str, prefix: bytes) -> bool:
        asked.append(name)
        return False

    Image.init()
    for name, (factory, _) in Image.OPEN.items():
        monkeypatch.setitem(Image.OPEN, name, (factory, partial(refuse, name)))
    forms: list[Any] = [modelform_factory(Profile, fields=["avatar"]), ProfileForm]
    for each in forms:
        assert not each(
            {}, {"avatar": SimpleUploadedFile("a.gif", b"GIF89a" + b"\0" * 50)}
        ).is_valid()
    assert set(asked) == {"PNG", "JPEG", "WEBP"}


def test_a_large_jpeg_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is decoded at a smaller size, so that it may have more points than other formats."""
    monkeypatch.setattr(pictures, "MAX_DECODED", 2_000_000)
    with Image.open(remake(upload("JPEG", (2400, 2000)))) as picture:
        assert max(picture.size) == SIDE
    with pytest.raises(ValidationError):
        remake(upload("PNG", (2400, 2000)))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_fail_another_format(kind: str) -> None:
    """Also under the name of one that is taken."""
    with pytest.raises(ValidationError, match="no PNG, JPEG or WebP"):
        remake(upload(kind, name="a.png"))


def test_fail_bomb() -> None:
    """A few kilobytes that are gigabytes once they are decoded: refused before that."""
    content = BytesIO()
    Image.new("1", (5000, 5000)).save(content, "PNG")
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
