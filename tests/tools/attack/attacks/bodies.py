"""Send more than anybody needs to send."""

import time

from tests.tools.attack import raw
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import TOKEN

MIB = 1024 * 1024
PATHS = ("/login/", "/signup/", "/", "/none/")
TOO_LARGE = 413
REFUSED = (400, 403, 404, 405, 408, 411, 413)


def head(target: Target, path: str, *headers: str) -> bytes:
    """Return the head of a POST."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{target.config.web_port}", *headers]
    lines += ["Content-Type: application/x-www-form-urlencoded"]
    lines += [f"Cookie: csrftoken={TOKEN}", f"X-CSRFToken: {TOKEN}"]  # what no page refuses
    return "\r\n".join([*lines, "", ""]).encode()


@attack
def by_length(target: Target, tries: Tries) -> None:
    """Announce a body of 200 MB, and send some of it."""
    for path in PATHS:
        start = head(target, path, f"Content-Length: {200 * MIB}")
        judge(target, tries, f"POST {path} with 200 MB", start, *[b"a" * MIB] * 6)


@attack
def by_chunks(target: Target, tries: Tries) -> None:
    """Send a body of no stated length, 8 MB of it."""
    chunk = b"100000\r\n" + b"a" * MIB + b"\r\n"
    for path in PATHS:
        start = head(target, path, "Transfer-Encoding: chunked")
        judge(target, tries, f"POST {path} in chunks", start, *[chunk] * 8, b"0\r\n\r\n")


def judge(target: Target, tries: Tries, what: str, *parts: bytes) -> None:
    """Send the parts. The site must say at once that they are too much, or hang up."""
    began = time.monotonic()
    status = raw.status_of(raw.send(target.config.web_port, *parts))
    seconds = time.monotonic() - began
    refused = status == TOO_LARGE or (not status and seconds < raw.TIMEOUT)
    tries.hold(refused, f"{what}: {status} after {seconds:.1f} s")


@attack
def many_fields(target: Target, tries: Tries) -> None:
    """Send a form of 5,000 fields, and one of 300 files."""
    visitor = target.role("author")
    status = visitor.post("/articles/new/", {f"f{n}": "x" for n in range(5000)}).status_code
    tries.hold(status in REFUSED, f"5,000 fields: {status}")
    files = {f"f{number}": ("x.png", b"x") for number in range(300)}
    status = visitor.post("/profile/", files=files).status_code
    tries.hold(status in REFUSED, f"300 files: {status}")


@attack
def big_heads(target: Target, tries: Tries) -> None:
    """Send a header of 1 MB, 2,000 headers, and a cookie of 100 kB."""
    port = target.config.web_port
    heads = (
        head(target, "/", "X-Big: " + "a" * MIB),
        head(target, "/", *[f"X-{n}: a" for n in range(2000)]),
        head(target, "/", "Cookie: sessionid=" + "a" * 100_000),
        b"GET /" + b"a" * MIB + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    for each in heads:
        status = raw.status_of(raw.send(port, each))
        tries.hold(status in (*REFUSED, 0, 414, 431), f"{each[:40]!r}…: {status}")


@attack
def everybody_else(target: Target, tries: Tries) -> None:
    """See whether the site answers after all that."""
    for path in ("/healthz", "/", "/login/"):
        status = target.visitor().get(path).status_code
        tries.hold(status == 200, f"GET {path}: {status}")
