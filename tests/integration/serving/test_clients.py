"""Clients who don't behave, at the real server with the real site."""

import re
from contextlib import suppress

import pytest

from core.stack.waiting import wait_until
from tests.integration.serving.conftest import Served
from tests.tools.slow_clients.crowd import (
    besieged,
    dripping_heads,
    get,
    non_readers,
    slow_bodies,
)
from tests.tools.slow_clients.trials import LARGE
from tests.tools.slow_clients.visitors import visited

CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
CLOSE = "Connection: close\r\n\r\n"


def post(more: str, body: bytes = b"") -> bytes:
    """Return a form for the log-in page, with more headers."""
    return b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n" + more.encode("latin-1") + body


def test_slow_clients_hold_up_nobody(site: Served) -> None:
    """Heads that never end, bodies that never end, large pages that nobody reads: all together."""
    crowds = [dripping_heads(30), slow_bodies(10), non_readers(12, LARGE, 22)]
    with besieged(site.port, *crowds), visited(site.port, ["/healthz", "/login/"]) as visits:
        wait_until(lambda: all(len(each.seconds) >= 15 for each in visits), 30, lambda: f"{visits}")
    assert not [each for each in visits if each.failures]


@pytest.mark.parametrize(
    "request_",
    [
        post("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"abcdef"),
        post("Content-Length: 5, 5\r\n\r\n", b"abcde"),
        post("Content-Length: +5\r\n\r\n", b"abcde"),
        post("Content-Length: -1\r\n\r\n"),
        post("Content-Length: 1_0\r\n\r\n", b"abcdefghij"),
        post("Transfer-Encoding: xchunked\r\n\r\n", b"0\r\n\r\n"),
        post("Transfer-Encoding: chunked, identity\r\n\r\n", b"0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n" + CHUNKED, b"0\r\n\r\n"),
        post("Transfer-Encoding : chunked\r\n\r\n", b"0\r\n\r\n"),
        post("Transfer-Encoding: \x0bchunked\r\n\r\n", b"0\r\n\r\n"),
        post("Transfer-Encoding:\r\n chunked\r\n\r\n", b"0\r\n\r\n"),
        post(CHUNKED, b"+1\r\na\r\n0\r\n\r\n"),
        post(CHUNKED, b"0x1\r\na\r\n0\r\n\r\n"),
        post(CHUNKED, b"1\na\r\n0\r\n\r\n"),
        post(CHUNKED, b"1;a\nb\r\na\r\n0\r\n\r\n"),
        post(CHUNKED, b"1\r\nab\r\n0\r\n\r\n"),
        post(CHUNKED, b"ffffffffffffffff1\r\na\r\n0\r\n\r\n"),
        get("/login/", "X: a\r\n b\r\n\r\n"),
        get("/login/", "X: a\rY: b\r\n\r\n"),
        get("/login/", "X: a\0b\r\n\r\n"),
        get("/login/", "X Y: a\r\n\r\n"),
        b"POST /login/ HTTP/1.0\r\nHost: 127.0.0.1\r\n" + CHUNKED.encode() + b"0\r\n\r\n",
        b"GET /login/ HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
        b"GET /login/\r\n\r\n",
    ],
)
def test_nothing_is_smuggled(site: Served, request_: bytes) -> None:
    """A request that two servers could read in two ways is refused, and what follows unread."""
    answer = site.ask(request_ + get("/healthz"))
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"400"]


def test_two_lengths_end_the_connection(site: Served) -> None:
    """Chunks count, as the standard has it. What follows is not read as a request."""
    answer = site.ask(post("Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n") + get("/healthz"))
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        get("/", "X: " + "a" * 200_000 + "\r\n\r\n"),
        get("/", "X: a\r\n" * 1000 + "\r\n"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ],
    ids=["line", "field", "fields", "HTTP/2"],
)
def test_heads_are_bounded(site: Served, request_: bytes) -> None:
    """A head has a longest length, and HTTP/1 is all that is spoken."""
    answer = b""
    with suppress(ConnectionError):  # it may be closed before all of the head is sent
        answer = site.ask(request_)
    assert answer[9:12] in (b"414", b"431", b"")


@pytest.mark.parametrize(
    "length",
    [CHUNKED, f"Content-Length: {200 * 1024 * 1024}\r\n\r\n"],
    ids=["chunks", "announced"],
)
def test_a_large_body_is_not_taken(site: Served, length: str) -> None:
    """Of an anonymous 200 MB no more is taken than the limit, and what the system buffers."""
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with site.connect() as client, suppress(ConnectionError):
        client.sendall(post(length))
        while sent < 200 * 1024 * 1024:
            client.sendall(piece)
            sent += len(piece)
    assert sent < 30 * 1024 * 1024
    answer = site.ask(post(length.replace("\r\n\r\n", f"\r\n{CLOSE}"), piece * 49))
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert site.answers()


def test_what_a_terminal_obeys_is_not_logged(site: Served) -> None:
    """Escapes come by the path, by names of programs and by addresses of pages; so do lines."""
    raw = [
        b"GET /\x1b]0;raw\x07 HTTP/1.1\r\nHost: 127.0.0.1\r\n" + CLOSE.encode(),
        b"GET /\xc2\x9b31m HTTP/1.1\r\nHost: 127.0.0.1\r\n" + CLOSE.encode(),
        get("/%1b]0;path%07%0d%0aINFO%20forged", CLOSE),
        get("/login/?q=%1b%0a", f"Referer: /\x9b31m\r\nUser-Agent: \x9b31m\u00ff\r\n{CLOSE}"),
        get("/login/", f"User-Agent: \x1b]0;agent\x07\r\n{CLOSE}"),
    ]
    answers = [site.ask(each) for each in raw]
    wait_until(lambda: "/login/ 200" in site.logs(), 10, site.logs)
    written = site.log.read_bytes().decode()
    assert not re.findall(r"[^\n\x20-\x7e]", written)
    assert not re.findall(r"^INFO.forged", written, re.MULTILINE)
    request_id = re.findall(rb"(?i)x-request-id: (\w+)", answers[3])[0].decode()
    assert re.search(rf"127.0.0.1 GET /login/ 200, .*{request_id}, \"", written)
