"""The context of a change: its actor, request and address. It follows a call into its task."""

import logging
import re
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

CLIENTS_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

logger = logging.getLogger(__name__)


class Context(NamedTuple):
    """The actor's primary key and name, the request's id, the client's address; "" if unknown."""

    actor_id: str = ""
    actor: str = ""
    request_id: str = ""
    address: str = ""

    @classmethod
    def of_user(cls, user: Any, request_id: str = "", address: str = "") -> "Context":
        """Return the context of what ``user`` does. None and anonymous users are no actors."""
        if user is None or not getattr(user, "is_authenticated", False):
            return cls(request_id=request_id, address=address)
        return cls(str(user.pk), user.get_username(), request_id, address)


NOBODY = Context()

# A request's user is looked up when a call asks for it: authentication that isn't Django's own
# middleware (a token, checked in the view) sets it after the middleware has run.
_source: ContextVar[Callable[[], Context]] = ContextVar("context", default=lambda: NOBODY)


def current() -> Context:
    """Return the context of the request or the call that this code runs in."""
    return _source.get()()


@contextmanager
def use(context: Context | Callable[[], Context]) -> Iterator[None]:
    """Run the block in ``context``. A function is called for it each time that it is asked for."""
    token = _source.set(context if callable(context) else lambda: context)
    try:
        yield
    finally:
        _source.reset(token)


class ContextMiddleware:
    """Set the context of each request, and name the request in ``X-Request-ID``.

    The id is always made here, so that nobody can give their request the id of another. One that
    came with the request is logged beside it, as the field ``client_request_id``, if it is 1 to 64
    letters, digits, ``.-_``. A streaming response is read in the context too.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Return the view's response with the request's id, or a coroutine that does."""
        source, request_id = _source_of(request)
        if iscoroutinefunction(self):
            return self._respond_async(request, source, request_id)
        with use(source):
            response = self.get_response(request)
        return _finish(response, source, request_id)

    async def _respond_async(
        self, request: HttpRequest, source: Callable[[], Context], request_id: str
    ) -> HttpResponseBase:
        with use(source):
            response = await self.get_response(request)
        return _finish(response, source, request_id)


def _source_of(request: HttpRequest) -> tuple[Callable[[], Context], str]:
    """Return a function that returns the request's context, and the request's id."""
    request_id = uuid.uuid4().hex
    if "HTTP_X_REQUEST_ID" in request.META:
        _log_clients_id(request_id, request.META["HTTP_X_REQUEST_ID"])
    address = request.META.get("REMOTE_ADDR", "")
    return lambda: Context.of_user(getattr(request, "user", None), request_id, address), request_id


def _log_clients_id(request_id: str, clients_id: str) -> None:
    if CLIENTS_ID.fullmatch(clients_id):
        fields = {"request_id": request_id, "client_request_id": clients_id}
        logger.info("Request %s came as %s", request_id, clients_id, extra=fields)


def _finish(response: Any, source: Callable[[], Context], request_id: str) -> HttpResponseBase:
    response["X-Request-ID"] = request_id
    if response.streaming:
        read = _read_async if response.is_async else _read
        response.streaming_content = read(response.streaming_content, source)
    return response  # type: ignore[no-any-return]  # one of Django's


def _read(content: Iterable[Any], source: Callable[[], Context]) -> Iterator[Any]:
    """Yield the parts of a response, each made in the request's context."""
    parts = iter(content)
    while True:
        with use(source):
            part = next(parts, None)
        if part is None:
            return
        yield part


async def _read_async(
    content: AsyncIterable[Any], source: Callable[[], Context]
) -> AsyncIterator[Any]:
    parts = aiter(content)
    while True:
        with use(source):
            part = await anext(parts, None)
        if part is None:
            return
        yield part
