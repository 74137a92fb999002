"""What a client has of the site's answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import get_resolver, reverse

from core.serving.answer import PIECE
from core.serving.limits import IN_MEMORY
from tests.unit.core.serving.asking import answering, ask

KEYED = {
    "account_confirm_email": ["key"],
    "account_reset_password_from_key": ["uidb36", "key"],
    "unsubscribe": ["token"],
}
"""The addresses that mails lead to, with their arguments. The last one is the key."""


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PIECE, IN_MEMORY + PIECE // 2])
def test_it_comes_in_pieces(size: int) -> None:
    """All of it comes, in pieces of a bounded size, with its length."""
    body = bytes(range(256)) * (size // 256 + 1)
    asked = ask(answering(body[:size]))
    assert asked.body == body[:size]
    assert asked.headers["content-length"] == str(size)
    assert max(len(message["body"]) for message in asked.sent[1:]) <= PIECE
    assert [message["more_body"] for message in asked.sent[1:]].index(False) == len(asked.sent) - 2


def test_its_status_and_headers() -> None:
    """They are the application's. A length that it gives stays: for HEAD it has no body."""
    headers = [("Content-Length", "7"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    asked = ask(answering(status="404 Not Found", headers=headers), method="HEAD")
    assert asked.status == 404
    assert asked.sent[0]["headers"] == [
        (b"content-length", b"7"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_length_where_there_is_no_body(status: str) -> None:
    """Such an answer has none."""
    assert "content-length" not in ask(answering(status=status)).headers


class Parts:
    """Parts of an answer, which know whether they were closed."""

    def __init__(self, *, fail: bool) -> None:
        self.fail, self.closed = fail, False

    def __iter__(self) -> Iterator[bytes]:
        yield b"the beginning"
        if self.fail:
            raise ValueError("no end")

    def close(self) -> None:
        """Be closed."""
        self.closed = True


def test_a_file(tmp_path: Path) -> None:
    """It is read in large blocks, and closed."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 1000)
    files = []

    def application(environ: dict[str, Any], start: Any) -> Any:
        start("200 OK", [])
        files.append(path.open("rb"))
        return environ["wsgi.file_wrapper"](files[0], 4096)

    assert ask(application).body == path.read_bytes()
    assert files[0].closed


@pytest.mark.parametrize("fail", [False, True])
def test_it_is_closed(fail: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Django ends the request then. An error is logged, and half an answer is not sent."""
    parts = Parts(fail=fail)

    def application(_: Any, start: Any) -> Parts:
        start("200 OK", [])
        return parts

    asked = ask(application, raw_path=b"/%0A")
    assert parts.closed
    assert (asked.status, asked.body[:3]) == ((500, b"The") if fail else (200, b"the"))
    assert ("No answer to '/\\n'" in caplog.text) == fail


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()], ids=repr
)
def test_no_error_reaches_the_server(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Some would end its event loop, and with it the process."""

    def application(*_: Any) -> list[bytes]:
        raise error

    assert ask(application).status == 500
    assert "No answer to '/'" in caplog.text


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK", [("Content-Length", "2")]),
        ("200 OK", [("Content-Length", "4")]),
        ("200 OK", [("Content-Length", "3"), ("content-length", "4")]),
        ("200 OK", [("X-Name", "a\0")]),
        ("200 OK", [("X-Name", "a\r\nX-Other: b")]),
        ("200 OK", [("X-Name", "\N{RIGHTWARDS ARROW}")]),
        ("200 OK", [("X Name", "a")]),
        ("200 OK", [("", "a")]),
        ("100 Continue", []),
        ("999 Unknown", []),
        ("none", []),
    ],
)
def test_what_cannot_be_sent(
    status: str, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """The client is told of an error. What is wrong is logged, with no header's value."""
    caplog.set_level("INFO")
    asked = ask(answering(b"abc", status=status, headers=headers))
    assert asked.status == 500
    assert "- GET / 500" in caplog.text


def test_the_address_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It is the client's as the site knows it, which may believe a proxy."""
    caplog.set_level("INFO")

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        environ["REMOTE_ADDR"] = "198.51.100.7"
        start("200 OK", [])
        return []

    ask(application, client=("192.0.2.7", 1))
    assert "198.51.100.7 GET /" in caplog.text


def test_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A line names the request by its id. Nothing of it can write to the log or to a terminal."""
    caplog.set_level("INFO")
    ask(
        answering(b"12345", headers=[("X-Request-ID", "0a1b")]),
        raw_path=b"/%0A\xc3\x9b\x1b",
        query_string=b"token=secret",
        client=("192.0.2.7", 1),
        headers=[(b"user-agent", b'\x9b31m\x1b]0;x\x07\r\n"')],
    )
    [line] = [each.getMessage() for each in caplog.records if "access_log" in each.name]
    assert line.startswith("192.0.2.7 GET /%0A\\xc3\\x9b\x1b 200, 5 bytes, ")
    assert line.endswith(', 0a1b, "\\u009b31m\\u001b]0;x\\u0007\\r\\n\\""')
    assert "secret" not in caplog.text


@pytest.mark.parametrize("name", KEYED)
def test_the_log_has_no_key(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Who reads the log can't follow a link of a mail to somebody else."""
    caplog.set_level("INFO")
    key = "MQ-1wYz3k-3qyM0-KEYa"
    path = reverse(name, kwargs=dict.fromkeys(KEYED[name], "1") | {KEYED[name][-1]: key})
    ask(answering(), raw_path=path.encode())
    assert "KEY" not in caplog.text
    assert f" GET /{path.split('/')[1]}/" in caplog.text


def test_each_address_with_a_key() -> None:
    """A new address with a key is one of those above."""
    found = get_resolver().reverse_dict
    names = {name for name in found if isinstance(name, str) and takes_key(found.getlist(name))}
    assert names == {*KEYED}


def takes_key(forms: Any) -> bool:
    """Return whether an address has a key or a token among its arguments."""
    return any({"key", "token"} & {*form[0][0][1]} for form in forms)
