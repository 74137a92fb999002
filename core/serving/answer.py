"""The answer to a request: made in whole by a thread, then sent as fast as the client takes it."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any

from core.serving.body import Message
from core.serving.environ import Environ
from core.serving.limits import IN_MEMORY

Send = Callable[[Message], Awaitable[None]]
WSGI = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[str, str]]

PIECE = 64 * 1024
"""How many bytes are sent at a time."""

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What a header can have. Anything else ends the server's part of the work, or another header."""

WITHOUT_BODY = (204, 304)
"""The statuses of answers without a body."""

logger = logging.getLogger(__name__)


class Answer:
    """A status, headers and a body."""

    def __init__(self) -> None:
        self.status = 0
        self.client = ""
        self.headers: Headers = []
        self.body = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed once it is sent
        self.size = 0

    def start(self, status: str, headers: Headers, error: object = None) -> Callable[..., None]:
        """Set the status and the headers: WSGI's ``start_response``."""
        self.status, self.headers = int(status[:3]), headers
        return self.write

    def write(self, part: bytes) -> None:
        """Add a part of the body."""
        self.body.write(part)
        self.size += len(part)

    def header(self, name: str) -> str:
        """Return the value of the header with that name in lower case, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def plain_answer(status: int, text: str, headers: Headers | None = None) -> Answer:
    """Return a line of text, for a request that is not one for the site's pages."""
    answer = Answer()
    answer.start(f"{status}", [("Content-Type", "text/plain"), *(headers or [])])
    answer.write(f"{text}\n".encode())
    return answer


def make_answer(wsgi: WSGI, environ: Environ) -> Answer:
    """Return what the application answers, or status 500 if it raises an error instead.

    A thread has nothing to end by SystemExit. An event loop that finds one would end the process.
    """
    try:
        answer = collect(wsgi, environ)
        answer.client = environ["REMOTE_ADDR"]  # as the site has read it, behind its proxies
        return answer
    except BaseException:
        logger.exception("No answer to %s", ascii(environ["PATH_INFO"]))
        return plain_answer(500, "The site has made an error.")


def collect(wsgi: WSGI, environ: Environ) -> Answer:
    """Return the application's answer, read to its end."""
    with ExitStack() as undone:
        answer = Answer()
        undone.callback(answer.body.close)
        parts = wsgi(environ, answer.start)
        with closing_if_possible(parts):
            for part in parts:
                answer.write(part)
        check(answer, environ["REQUEST_METHOD"])
        undone.pop_all()
    return answer


def check(answer: Answer, method: str) -> None:
    """Raise ValueError for an answer that can't be sent as it is.

    After a wrong length the client would take the next answer for the rest of this one.
    """
    if not 200 <= answer.status <= 599:
        raise ValueError(f"{answer.status} is not the status of an answer.")
    for name, value in answer.headers:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise ValueError(f"The header {name!r} has a character that no header can have.")
    said = {value for name, value in answer.headers if name.lower() == "content-length"}
    has_body = method != "HEAD" and answer.status not in WITHOUT_BODY
    if has_body and said - {str(answer.size)}:
        raise ValueError(f"The length is said to be {said}, and it is {answer.size}.")


@contextmanager
def closing_if_possible(parts: Iterable[bytes]) -> Iterator[None]:
    """Close the parts after the block, as WSGI asks for."""
    try:
        yield
    finally:
        getattr(parts, "close", lambda: None)()


async def send_answer(send: Send, answer: Answer) -> None:
    """Send all of it. A piece is sent when the client has taken those before it."""
    await send({"type": "http.response.start", **status_and_headers(answer)})
    with closing(answer.body) as body:
        body.seek(0)
        for _ in range(0, answer.size - PIECE, PIECE):
            await send(part_of_body(body.read(PIECE), more=True))
        await send(part_of_body(body.read(PIECE), more=False))


def part_of_body(part: bytes, more: bool) -> Message:
    """Return the message that sends a part of the body."""
    return {"type": "http.response.body", "body": part, "more_body": more}


def status_and_headers(answer: Answer) -> dict[str, Any]:
    """Return both, with the length, so that the client sees if the end is missing."""
    headers = answer.headers
    if answer.status not in WITHOUT_BODY and not answer.header("content-length"):
        headers = [*headers, ("Content-Length", str(answer.size))]
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"status": answer.status, "headers": raw}
