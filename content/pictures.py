"""Uploaded pictures, made anew: what is kept is what is shown, and nothing else of the file."""

from io import BytesIO
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.template.defaultfilters import filesizeformat
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "WEBP")
SIDE = 256
"""Pixels of the longer side, at most. Pages show an avatar at a quarter of it."""

MAX_BYTES = 2 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_DECODED = 12_500_000
"""Pixels at most that are decoded. A WebP picture takes 20 bytes for each of them while it is
decoded. A JPEG is decoded at a smaller size, so that it may have more."""

MAX_SCANS = 100
"""Passes over a JPEG at most. A camera's file has ten. Two megabytes could have 48,000, each of
which takes milliseconds."""


class Picture(ContentFile):
    """A small PNG that ``remake`` made, under a name of its own."""


def remake(upload: File) -> Picture:
    """Return the picture as a small PNG with a name of its own. Raises ValidationError.

    The format is that of the content, whatever the name says. EXIF, which says where a picture was
    taken, turns it upright and is left out.
    """
    content = _read(upload)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            _refuse_large(picture, MAX_PIXELS)
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))
            _refuse_large(picture, MAX_DECODED)
            return _as_png(picture)
    except ValidationError:
        raise
    except Exception as error:  # decoders fail with errors of many kinds
        raise ValidationError(
            "This is no PNG, JPEG or WebP picture, or it is damaged.", code="no_picture"
        ) from error


def _read(upload: File) -> bytes:
    """Return the content. Raises ValidationError if it has more bytes than are taken."""
    upload.seek(0)
    content: bytes = upload.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValidationError(
            "The picture is too large. Choose one of at most %(limit)s.",
            code="too_large",
            params={"limit": filesizeformat(MAX_BYTES)},
        )
    if content.count(b"\xff\xda") > MAX_SCANS and content.startswith(b"\xff\xd8"):
        raise ValidationError(
            "The picture is made of too many passes. Save it anew, or choose another one.",
            code="too_many_scans",
        )
    return content


def _refuse_large(picture: Image.Image, limit: int) -> None:
    if picture.width * picture.height > limit:
        raise ValidationError(
            "The picture has %(width)s by %(height)s points. Choose a smaller one.",
            code="too_many_pixels",
            params={"width": picture.width, "height": picture.height},
        )


def _as_png(picture: Image.Image) -> Picture:
    small = _with_eight_bits(picture).convert("RGBA")
    small.thumbnail((SIDE, SIDE))
    upright = _upright(small)
    bare = Image.new("RGBA", upright.size)
    bare.paste(upright)
    content = BytesIO()
    bare.save(content, "PNG")
    return Picture(content.getvalue(), name=f"{uuid4().hex}.png")


def _with_eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture of 16-bit greys with 8 bits. Pillow would cut them off at white."""
    if not picture.mode.startswith("I;16"):
        return picture
    return picture.convert("I").point([level >> 8 for level in range(2**16)], "L")


def _upright(picture: Image.Image) -> Any:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001  # damaged EXIF says nothing of how to turn the picture
        return picture
