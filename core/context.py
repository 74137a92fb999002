"""Who does something, from where, in which request; it follows a call into its task."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Context(NamedTuple):
    """The actor's primary key and name, the request's id, the client's address; "" if unknown."""

    actor_id: str = ""
    actor: str = ""
    request_id: str = ""
    address: str = ""

    @classmethod
    def of_user(cls, user: Any, request_id: str = "", address: str = "") -> "Context":
        """The context of what ``user`` does; of an anonymous user or None it names no actor."""
        if user is None or not getattr(user, "is_authenticated", False):
            return cls(request_id=request_id, address=address)
        return cls(str(user.pk), user.get_username(), request_id, address)


NOBODY = Context()

# A request's user is looked up when a call asks for it: authentication that isn't Django's own
# middleware (a token, checked in the view) sets it after the middleware has run.
_source: ContextVar[Callable[[], Context]] = ContextVar("context", default=lambda: NOBODY)


def current() -> Context:
    """The context of the request or the call that this code runs in."""
    return _source.get()()


@contextmanager
def use(context: Context | Callable[[], Context]) -> Iterator[None]:
    """Run the block in ``context``, or in what it returns at the time it is asked."""
    token = _source.set(context if callable(context) else lambda: context)
    try:
        yield
    finally:
        _source.reset(token)


class ContextMiddleware:
    """Sets the context of each request, and names the request in ``X-Request-ID``.

    A request id that came with the request is kept if it is 1 to 64 letters, digits, ``.-_``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The view's response, with the request's id."""
        request_id = request.headers.get("X-Request-ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        address = request.META.get("REMOTE_ADDR", "")
        with use(lambda: Context.of_user(getattr(request, "user", None), request_id, address)):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
