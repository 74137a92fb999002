"""Upload what is no picture, or one that takes the machine's memory."""

import re
import struct
import time
import zlib
from io import BytesIO

from PIL import Image

from content.models import Profile
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

SECONDS = 10
"""The time in which a bomb must be refused, on a busy machine."""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="x"><script>x</script></svg>'
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"
GPS = 0x8825


def bomb(side: int) -> bytes:
    """Return a small PNG of ``side`` times ``side`` points, all of them black."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * min(side * (side + 1), 40_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a part of a PNG."""
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def picture(form: str, **options: object) -> bytes:
    """Return a picture in this format."""
    written = BytesIO()
    Image.new("RGB", (30, 20), "red").save(written, form, **options)
    return written.getvalue()


def photograph() -> bytes:
    """Return a JPEG that says where it was taken, and by whom."""
    exif = Image.Exif()
    exif[0x013B] = "Photographer Xyzzy"
    exif.get_ifd(GPS)[1] = "N"
    return picture("JPEG", exif=exif, comment=b"Comment Xyzzy")


def upload(target: Target, content: bytes, name: str = "x.png", kind: str = "image/png") -> int:
    """Upload a picture as the reader\'s, and return the status. 302 means that it was taken."""
    files = {"avatar": (name, content, kind)}
    return target.role("reader").post("/profile/", {"bio": "x"}, files).status_code


@attack
def bombs(target: Target, tries: Tries) -> None:
    """Upload pictures of a few kilobytes that would take gigabytes of memory."""
    for side in (6_000, 20_000, 60_000, 2**31 - 1):
        begin = time.monotonic()
        status = upload(target, bomb(side))
        quick = time.monotonic() - begin < SECONDS
        tries.hold(status in (200, 413) and quick, f"{side} by {side} points: {status}")


@attack
def other_formats(target: Target, tries: Tries) -> None:
    """Upload pages, programs and other formats under the name of a picture."""
    contents = {
        "SVG": SVG,
        "PostScript": POSTSCRIPT,
        "HTML": b"<script>x</script>",
        "half of a PNG": picture("PNG")[:60],
        "nothing": b"",
        **{form: picture(form) for form in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX")},
    }
    for what, content in contents.items():
        status = upload(target, content)
        tries.hold(status == 200, f"{what}: {status}")


@attack
def names(target: Target, tries: Tries) -> None:
    """Choose the name and the type of the file that is kept."""
    for name in ("../../x.html", "x.html", "x.svg", "a\x00.png", "/etc/passwd", "x" * 3000, ".."):
        upload(target, picture("PNG"), name, "text/html")
        kept = Profile.objects.get(user__username="reader").avatar
        right = re.fullmatch(r"avatars/[0-9a-f]{32}\.png", str(kept))
        tries.hold(bool(right), f"{name[:40]!r} was kept as {kept}.")
        answer = target.visitor().get(kept.url)
        shown = (answer.headers["content-type"], answer.headers.get("x-content-type-options"))
        tries.hold(shown == ("image/png", "nosniff"), f"{name[:40]!r} is served as {shown}.")


@attack
def places(target: Target, tries: Tries) -> None:
    """Learn from a picture where it was taken, and by whom."""
    status = upload(target, photograph(), "x.jpg", "image/jpeg")
    tries.hold(status == 302, f"The picture itself was refused: {status}")
    kept = Profile.objects.get(user__username="reader").avatar
    content = target.visitor().get(kept.url).content
    tries.hold(b"Xyzzy" not in content and b"Exif" not in content, "It says who took it.")
