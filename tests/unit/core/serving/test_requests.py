"""What reaches the site of a request, and what doesn't."""

from typing import Any

import pytest

from core.serving import limits
from tests.unit.core.serving.asking import answering, ask


def environ_of(**request: Any) -> dict[str, Any]:
    """Return the environment that the application had."""
    application = answering()
    assert ask(application, **request).status == 200
    environ: dict[str, Any] = application.environ  # type: ignore[attr-defined]
    return environ


def chunk(body: bytes, *, more: bool = True) -> dict[str, Any]:
    """Return a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


class TestEnvironment:
    """The environment of WSGI."""

    def test_the_request(self) -> None:
        """The path is decoded once, as bytes. The query is as it came."""
        environ = environ_of(raw_path=b"/%C3%A9%2Fa", query_string=b"q=%20", method="PUT")
        assert environ["PATH_INFO"].encode("latin-1").decode() == "/é/a"
        assert environ["QUERY_STRING"] == "q=%20"
        assert environ["REQUEST_METHOD"] == "PUT"

    def test_the_path_without_its_raw_form(self) -> None:
        """Some servers have it decoded alone. It is not decoded again."""
        assert environ_of(path="/%41")["PATH_INFO"] == "/%41"
        below = environ_of(path="/site/a", root_path="/site")
        assert (below["SCRIPT_NAME"], below["PATH_INFO"]) == ("/site", "/a")

    def test_the_client(self) -> None:
        """It is the other end of the connection, whatever a header says."""
        headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-proto", b"https")]
        environ = environ_of(headers=headers, client=("192.0.2.7", 5), server=("192.0.2.1", 80))
        assert environ["REMOTE_ADDR"] == "192.0.2.7"
        assert environ["wsgi.url_scheme"] == "http"
        assert environ["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"
        assert environ_of(client=None)["REMOTE_ADDR"] == ""

    def test_headers(self) -> None:
        """A repeated one is joined, cookies as cookies are. An underscore is no hyphen."""
        environ = environ_of(
            headers=[
                (b"accept", b"a"),
                (b"accept", b"b"),
                (b"cookie", b"a=1"),
                (b"cookie", b"b=2"),
                (b"content-type", b"text/plain"),
                (b"x_forwarded_for", b"1.2.3.4"),
            ]
        )
        assert environ["HTTP_ACCEPT"] == "a,b"
        assert environ["HTTP_COOKIE"] == "a=1; b=2"
        assert environ["CONTENT_TYPE"] == "text/plain"
        assert "HTTP_X_FORWARDED_FOR" not in environ


class TestAmbiguous:
    """Requests of which another server could find another end."""

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
            [(b"content-length", b"1"), (b"content-length", b"2")],
            [(b"content-length", b"1"), (b"content-length", b"1")],
            [(b"content-length", b"+1")],
            [(b"content-length", b"1_0")],
            [(b"content-length", b"\xb2")],
            [(b"content-length", b"-1")],
            [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
            [(b"transfer-encoding", b"chunked, identity")],
            [(b"transfer-encoding", b"xchunked")],
        ],
    )
    def test_is_refused(self, headers: list[tuple[bytes, bytes]]) -> None:
        """The site is not asked, and the connection isn't kept for what follows."""
        asked = ask(answering(), headers=headers, messages=[chunk(b"x", more=False)])
        assert (asked.status, asked.headers["connection"]) == (400, "close")
        assert asked.taken == 0


class TestBody:
    """Bodies, with a length and without."""

    def test_in_pieces(self) -> None:
        """The site has all of it, with its length, also when the request gave none."""
        received: list[bytes] = []

        def application(environ: dict[str, Any], start: Any) -> list[bytes]:
            received.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            start("200 OK", [])
            return []

        assert ask(application, messages=[chunk(b"ab"), chunk(b"c", more=False)]).status == 200
        assert received == [b"abc"]

    def test_none(self) -> None:
        """HTTP/1 has none without a header that says where it ends. Nothing is awaited."""
        assert ask(answering(), http_version="1.1").taken == 0
        chunked = [(b"transfer-encoding", b"chunked")]
        assert ask(answering(), http_version="1.1", headers=chunked).taken == 1

    def test_too_much(self, settings: Any) -> None:
        """No more is taken than it needs to know. The site sees that it is too long."""
        settings.MAX_BODY_BYTES = 100
        application = answering()
        asked = ask(application, messages=[chunk(b"x" * 60)] * 1000)
        assert asked.taken == 2
        assert application.environ["CONTENT_LENGTH"] == "120"  # type: ignore[attr-defined]

    def test_too_much_announced(self, settings: Any) -> None:
        """Nothing of it is taken."""
        settings.MAX_BODY_BYTES = 100
        application = answering()
        asked = ask(application, headers=[(b"content-length", b"101")], messages=[chunk(b"x")])
        assert asked.taken == 0
        assert application.environ["CONTENT_LENGTH"] == "101"  # type: ignore[attr-defined]

    def test_too_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever doesn't go on is told so, and the site is not asked."""
        monkeypatch.setattr(limits.Pace, "seconds_left", lambda *_: 0.001)
        asked = ask(answering(), messages=[chunk(b"x")])
        assert (asked.status, asked.headers["connection"]) == (408, "close")

    def test_cut(self) -> None:
        """What ends too early never reaches the site."""
        application = answering()
        asked = ask(application, messages=[chunk(b"x"), {"type": "http.disconnect"}])
        assert asked.status == 400
        assert not hasattr(application, "environ")

    def test_pace(self) -> None:
        """A client has some seconds, and more with each byte. Dripping doesn't pay."""
        pace = limits.Pace(seconds=20, bytes_per_second=5000)
        assert pace.seconds_left(0) == pytest.approx(20, abs=10)
        assert pace.seconds_left(500_000) == pytest.approx(120, abs=10)
        pace.began -= 30
        assert pace.seconds_left(100) < 0
