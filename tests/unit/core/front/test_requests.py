"""The applications that a server runs, asked as a server asks them."""

from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.test import AsyncRequestFactory, RequestFactory

from core import asgi, wsgi

pytestmark = pytest.mark.django_db(transaction=True)

CHARSETS = ["hex", "undefined", "idna", "utf-7", "no-such-charset"]


@pytest.mark.parametrize("charset", CHARSETS)
def test_wsgi_refuses_a_query_in_another_charset(charset: str) -> None:
    """Django decodes it before any middleware is asked: the server's own error was the answer."""
    environ = RequestFactory()._base_environ(
        CONTENT_TYPE=f"text/plain; charset={charset}", QUERY_STRING="page=1"
    )
    start = Mock()
    b"".join(wsgi.application(environ, start))
    assert start.call_args.args[0] == "400 Bad Request"


@pytest.mark.parametrize("charset", CHARSETS)
def test_asgi_refuses_a_query_in_another_charset(charset: str) -> None:
    """So does the application of the other kind of server."""

    async def ask() -> dict[str, Any]:
        scope = AsyncRequestFactory()._base_scope(
            path="/",
            query_string=b"page=1",
            headers=[(b"content-type", f"text/plain; charset={charset}".encode())],
        )
        server = ApplicationCommunicator(asgi.application, scope)
        await server.send_input({"type": "http.request"})
        start: dict[str, Any] = await server.receive_output()
        await server.receive_output()  # the body
        await server.wait()
        return start

    assert async_to_sync(ask)()["status"] == 400
