"""The ASGI application that gives each request a thread, once the request is there in whole."""

import asyncio
import faulthandler
import logging
import time
from functools import partial
from tempfile import SpooledTemporaryFile

from django.conf import settings

from core.serving import drain
from core.serving.access_log import log_request
from core.serving.answer import WSGI, Answer, Send, make_answer, plain_answer, send_answer
from core.serving.body import BrokenRequest, Receive, take_body
from core.serving.environ import (
    Environ,
    Scope,
    announced_length,
    environ_of,
    has_body,
    headers_of,
    is_ambiguous,
)
from core.serving.lanes import Lane
from core.serving.limits import IN_MEMORY, READY_WITHIN, THREADS, Busy
from core.serving.room import Reserve, Room
from core.serving.server import (
    allow_open_files,
    close_silent_connections,
    end_when_stuck,
    end_with_parent,
)

logger = logging.getLogger(__name__)
CLOSE = [("Connection", "close")]
OFTEN_ASKED = "/servez"
"""A balancer's probe. It is asked each second, and so has no line in the log."""


class Buffered:
    """A WSGI application as an ASGI application that slow clients can't hold up.

    The probes have threads of their own, and answer while all others wait for the database.
    """

    def __init__(self, wsgi: WSGI) -> None:
        self.wsgi, self.room = wsgi, Room()
        self.pages = Lane(THREADS)
        self.probes = {
            "/healthz": Lane(1),
            "/servez": Lane(1),
            "/readyz": Lane(1, READY_WITHIN, gives_up=True),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection's request, or the beginning and the end of the process."""
        if scope["type"] == "http":
            await self.serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await live(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it."""
        close_silent_connections()
        began, headers = time.monotonic(), headers_of(scope)
        with self.room.share() as reserve:
            answer = fitting(await self.answer(scope, headers, receive), reserve)
            if drain.has_begun():
                answer.headers = [*answer.headers, *CLOSE]
            try:
                await send_answer(send, answer)
            finally:
                if scope["path"] != OFTEN_ASKED:
                    log_request(scope, headers, answer, began)

    async def answer(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Answer:
        """Return the answer of the site, or why the site is not asked."""
        if is_ambiguous(headers):
            return plain_answer(400, "The length of the request is ambiguous.", CLOSE)
        try:
            with SpooledTemporaryFile(IN_MEMORY) as body, self.room.share() as reserve:
                size = announced_length(headers)
                if has_body(scope, headers):
                    limit = settings.MAX_BODY_BYTES
                    size = await take_body(receive, body, reserve, size, limit)
                return await self.make(scope, environ_of(scope, headers, body, size))
        except BrokenRequest:
            return plain_answer(400, "The request is not complete.", CLOSE)
        except TimeoutError:
            return plain_answer(408, "The request came too slowly.", CLOSE)
        except Busy:
            return busy()
        except OSError:
            logger.exception("No file for the body of a request")
            return busy()

    async def make(self, scope: Scope, environ: Environ) -> Answer:
        """Return the answer that a thread makes. Raises ``Busy``."""
        lane = self.probes.get(scope["path"], self.pages)
        return await lane.run(partial(make_answer, self.wsgi, environ))


def busy() -> Answer:
    """Return the answer to a request that the site has not begun."""
    return plain_answer(503, "The site is busy. Try again soon.", [("Retry-After", "5"), *CLOSE])


def fitting(answer: Answer, reserve: Reserve) -> Answer:
    """Return the answer, or that the site is busy if there is no room for a large one."""
    try:
        reserve(answer.size)
    except Busy:
        answer.body.close()
        return busy()
    return answer


async def live(receive: Receive, send: Send) -> None:
    """Prepare the process, and stay until it ends."""
    await receive()
    allow_open_files()
    end_with_parent()
    end_when_stuck(asyncio.get_running_loop())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    faulthandler.cancel_dump_traceback_later()
    await send({"type": "lifespan.shutdown.complete"})
