"""Have a proxy and the site disagree about where a request ends."""

from tests.tools.attack import raw
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

HIDDEN = b"GET /hidden-request HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
LENGTH = str(len(CHUNKED)).encode()
HEADS: dict[str, bytes] = {
    "a length and chunks": b"Content-Length: %b\r\nTransfer-Encoding: chunked\r\n" % LENGTH,
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: %b\r\n" % LENGTH,
    "two lengths": b"Content-Length: 0\r\nContent-Length: %b\r\n" % LENGTH,
    "two lengths in one": b"Content-Length: 0, %b\r\n" % LENGTH,
    "a length with a sign": b"Content-Length: +%b\r\n" % LENGTH,
    "a negative length": b"Content-Length: -1\r\n",
    "a length in hexadecimal": b"Content-Length: 0x0\r\n",
    "a length with a letter": b"Content-Length: 0a\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "chunks and an unknown coding": b"Transfer-Encoding: chunked, identity\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: %b\r\n" % LENGTH,
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: %b\r\n" % LENGTH,
    "a tab in the coding": b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %b\r\n" % LENGTH,
    "a bare line feed": b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: %b\r\n" % LENGTH,
    "an underscore": b"Content_Length: 0\r\nContent-Length: %b\r\n" % LENGTH,
    "a NUL in a header": b"X: a\x00b\r\nContent-Length: %b\r\n" % LENGTH,
}
BODIES: dict[str, bytes] = {
    "a chunk of a negative size": b"-1\r\n" + HIDDEN,
    "a chunk with a sign": b"+0\r\n\r\n" + HIDDEN,
    "a chunk in hexadecimal with 0x": b"0x0\r\n\r\n" + HIDDEN,
    "a chunk that overflows": b"f" * 17 + b"\r\n" + HIDDEN,
    "a chunk without an end": b"3\r\nabc" + CHUNKED,
    "a chunk that ends with a line feed": b"0\n\n" + HIDDEN,
}


@attack
def by_heads(target: Target, tries: Tries) -> None:
    """Hide a request in a body whose length can be read in two ways, in 17 spellings."""
    for what, head in HEADS.items():
        judge(target, tries, what, head, CHUNKED)


@attack
def by_chunks(target: Target, tries: Tries) -> None:
    """Hide a request behind a chunk that is written wrong, in six spellings."""
    for what, body in BODIES.items():
        judge(target, tries, what, b"Transfer-Encoding: chunked\r\n", body)


@attack
def after_a_refusal(target: Target, tries: Tries) -> None:
    """Hide a request in a body that the site refuses without reading it."""
    for path in ("/healthz", "/none/", "/login/"):
        head = b"Content-Length: 104857600\r\n"
        judge(target, tries, f"a big body to {path}", head, HIDDEN, path)


def judge(
    target: Target, tries: Tries, what: str, head: bytes, body: bytes, path: str = "/login/"
) -> None:
    """Send the request. The site must refuse it, and take what follows for no request."""
    start = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (path.encode(), target.config.web_port)
    answer = raw.send(target.config.web_port, start + head + b"\r\n" + body, wait=2)
    first, *others = raw.statuses(answer) or [0]
    tries.hold({*others} <= {400}, f"{what}: the hidden request was answered: {others}")
    tries.hold(first not in (200, 302, 500), f"{what}: {first}")
