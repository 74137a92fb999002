"""Uploaded pictures, made anew: what is kept is what is shown, and nothing else of the file."""

from io import BytesIO
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "WEBP")
SIDE = 256
"""Pixels of the longer side, at most. Pages show an avatar at a quarter of it."""

MAX_PIXELS = 24_000_000
"""Pixels of an upload at most: a decoded one has four bytes for each."""


def remake(upload: File) -> ContentFile:
    """Return the picture as a small PNG with a name of its own. Raises ValidationError.

    The format is that of the content, whatever the name says. EXIF, which says where a picture was
    taken, turns it upright and is left out.
    """
    try:
        upload.seek(0)
        with Image.open(upload, formats=FORMATS) as picture:
            _refuse_large(picture)
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded at a smaller size
            return _as_png(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValidationError(
            "This is no PNG, JPEG or WebP picture, or it is damaged.", code="no_picture"
        ) from error


def _refuse_large(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise ValidationError(
            "The picture has %(width)s by %(height)s points. Choose a smaller one.",
            code="too_many_pixels",
            params={"width": picture.width, "height": picture.height},
        )


def _as_png(picture: Image.Image) -> ContentFile:
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    upright.thumbnail((SIDE, SIDE))
    bare = Image.new("RGBA", upright.size)
    bare.paste(upright)
    content = BytesIO()
    bare.save(content, "PNG")
    return ContentFile(content.getvalue(), name=f"{uuid4().hex}.png")
