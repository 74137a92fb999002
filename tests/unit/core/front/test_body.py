"""Bodies that are larger than any form of the site."""

from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client

pytestmark = pytest.mark.django_db

LIMIT = 3 * 1024 * 1024


class Unread(BytesIO):
    """A body that must not be read."""

    def read(self, *args: object) -> bytes:
        """Fail."""
        raise AssertionError("The body was read.")

    readline = read


@pytest.mark.parametrize("where", ["/", "/login/", "/signup/", "/admin/login/", "/nothing/"])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_a_large_body_is_refused_unread(client: Client, where: str, kind: str, method: str) -> None:
    """An anonymous 200 MB, at any address, by any method."""
    said: Any = {"CONTENT_LENGTH": str(200 * 1024 * 1024), "wsgi.input": Unread()}
    response = client.generic(method, where, b"x", kind, **said)
    assert response.status_code == 413
    assert "too large" in response.content.decode()


def test_the_limit(client: Client) -> None:
    """One byte more is refused, and so is what lies about its length: no more than that is read."""
    assert settings.MAX_BODY_BYTES == LIMIT
    kind = "text/plain"
    assert client.generic("POST", "/login/", b"x" * (LIMIT + 1), kind).status_code == 413
    assert client.generic("POST", "/login/", b"x" * LIMIT, kind).status_code != 413
    environ = client._base_environ(CONTENT_LENGTH="3")
    assert WSGIRequest({**environ, "wsgi.input": BytesIO(b"x" * 100)}).read() == b"xxx"


@pytest.mark.parametrize("length", ["-1", "x", "", "1e9", "٣"])
def test_no_length_is_read_as_none(client: Client, length: str) -> None:
    """What is no number doesn't fail."""
    said: Any = {"CONTENT_LENGTH": length}
    assert client.generic("POST", "/login/", b"x", "text/plain", **said).status_code < 500
