"""A web server of one request: it hands the request to an application, and keeps what comes."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from core.serving.answer import WSGI
from core.serving.application import Buffered

Message = dict[str, Any]
NO_BODY: list[Message] = [{"type": "http.request"}]


class Asked:
    """What the application took, and what it sent."""

    def __init__(self) -> None:
        self.taken = 0
        self.sent: list[Message] = []

    @property
    def status(self) -> int:
        """Return the status of the answer."""
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """Return the body of the answer."""
        return b"".join(message["body"] for message in self.sent[1:])


async def ask_now(
    application: Buffered,
    path: str = "/",
    *,
    messages: Iterable[Message] = (),
    headers: Iterable[tuple[bytes, bytes]] = (),
    **scope: Any,
) -> Asked:
    """Return what came of a request. A client who has sent its messages sends nothing more."""
    asked, waiting = Asked(), iter(messages or NO_BODY)

    async def receive() -> Message:
        asked.taken += 1
        if (message := next(waiting, None)) is None:
            await asyncio.Event().wait()
        return message or {}

    async def send(message: Message) -> None:
        asked.sent.append(message)

    usual = {"type": "http", "method": "GET", "query_string": b"", "http_version": "2"}
    await application({**usual, "path": path, "headers": headers, **scope}, receive, send)
    return asked


def ask(wsgi: WSGI, path: str = "/", **request: Any) -> Asked:
    """Return what came of a request to an application of its own."""
    return asyncio.run(ask_now(Buffered(wsgi), path, **request))


def answering(
    *parts: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()
) -> WSGI:
    """Return a WSGI application that answers so, and keeps the last environment."""

    def application(environ: Message, start: Callable[..., Any]) -> Iterable[bytes]:
        application.environ = environ  # type: ignore[attr-defined]
        start(status, list(headers))
        return parts

    return application
