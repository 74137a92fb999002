"""One user's browser: pages, forms and cookies, over HTTP and nothing else."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from tests.tools.demo.forms import Form, Page
from tests.tools.demo.ledger import Request

OK, FOUND, FORBIDDEN = 200, 302, 403


class SiteError(Exception):
    """The site answered something else than a user would expect, or not at all."""


class Reply(NamedTuple):
    """What came back: the request, the address it leads on to, and the page."""

    request: Request
    location: str
    page: Page


class Browser:
    """A user's session with the site; every request that is answered is told to ``made``."""

    def __init__(self, site_url: str, made: Callable[[Request], None]) -> None:
        self._made = made
        # The site closes a connection after two idle seconds; one that just closes is no answer.
        self._client = httpx.Client(
            base_url=site_url,
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(keepalive_expiry=1),
        )

    def open(self, path: str, expect: int = OK) -> Reply:
        """The page at this path."""
        return self._send(self._client.build_request("GET", path), expect)

    def form(self, path: str, action: str = "") -> Form:
        """The form on that page that is sent to ``action``, or to the page's own address."""
        return self.open(path).page.form(action)

    def submit(self, form: Form, expect: int = FOUND) -> Reply:
        """What came of sending the form: a redirect, which is not followed, if it was accepted."""
        if form.multipart:
            parts = {name: (None, value.encode()) for name, value in form.fields.items()}
            request = self._client.build_request("POST", form.action, files=parts)
        else:
            request = self._client.build_request("POST", form.action, data=form.fields)
        return self._send(request, expect)

    def _send(self, request: httpx.Request, expect: int) -> Reply:
        what = f"{request.method} {request.url.path}"
        started = time.monotonic()
        try:
            response = self._client.send(request)
        except httpx.HTTPError as error:
            raise SiteError(f"{what} was not answered: {error or type(error).__name__}.") from error
        number = response.headers.get("X-Request-ID", "")
        made = Request(number, request.method, started, time.monotonic())
        if response.status_code != expect:
            raise SiteError(f"{what} was answered with {response.status_code}, not {expect}.")
        self._made(made)
        location = response.headers.get("Location", "")
        return Reply(made, location, Page(request.url.path, response.text))

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
