"""Reach a file or a page by a path that is written in another way."""

import itertools

from tests.tools.attack import raw
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

STARTS = ("/static/", "/media/", "/media/avatars/", "/static/admin/", "/")
UPS = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "..;/", "....//", "%c0%ae%c0%ae/")
FILES = ("etc/passwd", "secret_key", "db.sqlite3", "core/settings.py", "redis.conf")
ODD = (
    "/%00",
    "/articles/%00/",
    "/articles/x%00.html",
    "/media/avatars/a.png%00.html",
    "/static/%00",
    "/authors/%F0%9F%92%A9%00/",
    "/%ff%fe/",
    "/authors/%ed%a0%80/",
    "/authors/%2e/",
    "/authors/%2e%2e/",
    "/authors/../",
    "/%0a",
    "/%1b[31m/",
    "/articles/" + "a" * 5000 + "/",
    "/?" + "a=1&" * 2000,
    "/?page=" + "9" * 5000,
    "/?page=\u0664",
    "/?page=-1",
    "/?page=%00",
    "//",
    "/;/",
    "/.git/config",
    "/.env",
    "/admin/..;/",
)


@attack
def to_files(target: Target, tries: Tries) -> None:
    """Read a file of the machine by a path with dots, in nine spellings."""
    secrets = [each.encode() for each in target.secrets().values()]
    for start, up, name in itertools.product(STARTS, UPS, FILES):
        path = f"{start}{up * 8}{name}"
        answer = get(target, path)
        status = raw.status_of(answer)
        tries.hold(status in (301, 302, 400, 404), f"GET {path}: {status}")
        shown = any(secret in answer for secret in (b"root:x:", b"INSTALLED_APPS", *secrets))
        tries.hold(not shown, f"GET {path} shows a file.")


@attack
def with_odd_characters(target: Target, tries: Tries) -> None:
    """Ask for paths with NUL, halves of characters, and thousands of characters."""
    for path in ODD:
        status = raw.status_of(get(target, path))
        tries.hold(status in (200, 301, 302, 400, 404, 414, 431), f"GET {path[:60]!r}: {status}")


@attack
def around_the_admin(target: Target, tries: Tries) -> None:
    """Reach the admin's pages by paths that are written in another way."""
    shown = b"Site administration"
    for path in ("/admin//", "//admin/", "/./admin/", "/x/../admin/", "/ADMIN/", "/admin%2f"):
        answer = get(target, path)
        tries.hold(shown not in answer, f"GET {path} shows the admin.")


def get(target: Target, path: str) -> bytes:
    """Return the answer to a path that is sent as it is."""
    host = f"127.0.0.1:{target.config.web_port}"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return raw.send(target.config.web_port, request.encode())
