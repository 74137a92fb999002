"""The body of a request, taken in before the request has a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import IO, Any

from core.serving.limits import Pace
from core.serving.room import Reserve

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BrokenRequest(Exception):
    """The client has gone in the midst of its request, or what it sent is not HTTP."""


async def take_body(
    receive: Receive, body: IO[bytes], reserve: Reserve, announced: int, limit: int
) -> int:
    """Write the body to the file, and return its length.

    Little more than ``limit`` bytes are taken, and nothing of a body that is announced as longer.
    The length tells, so that the site refuses it. Raises BrokenRequest, ``Busy``, and TimeoutError
    if the client is too slow.
    """
    size, more, pace = 0, announced <= limit, Pace()
    while more and size <= limit:
        async with asyncio.timeout(pace.seconds_left(size)):
            message = await receive()
        if message["type"] != "http.request":
            raise BrokenRequest
        part = message.get("body", b"")
        reserve(size + len(part))
        size += body.write(part)
        more = message.get("more_body", False)
    body.seek(0)
    return max(size, announced)
