"""A browser that does what a browser of a good person would not."""

from collections.abc import Mapping
from typing import Any

import httpx

TOKEN = "a" * 32
"""A CSRF token. Django compares the form with the cookie, so a visitor can choose both."""


class Visitor:
    """A browser with its own cookies. It follows no redirect."""

    def __init__(self, site_url: str, cookies: Mapping[str, str], address: str = "") -> None:
        transport = httpx.HTTPTransport(
            local_address=address or None,
            # The server closes a connection after two idle seconds.
            limits=httpx.Limits(keepalive_expiry=1),
        )
        self.client = httpx.Client(base_url=site_url, timeout=30, transport=transport)
        for name, value in {**cookies, "csrftoken": TOKEN}.items():
            self.set_cookie(name, value)

    def set_cookie(self, name: str, value: str) -> None:
        """Have a cookie that the site did not set, in the place of one that it did."""
        self.client.cookies.set(name, value, domain=self.client.base_url.host)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return the answer to a GET."""
        return self.client.get(path, headers=headers)

    def post(
        self,
        path: str,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Return the answer to a form that has a CSRF token."""
        return self.bare_post(path, data, files, **{"X-CSRFToken": self.token, **headers})

    def bare_post(
        self,
        path: str,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Return the answer to a form without a CSRF token."""
        return self.client.post(path, data=data, files=files, headers=headers)

    @property
    def token(self) -> str:
        """Return the token of the cookie. The site changes it at the log-in."""
        return self.client.cookies.get("csrftoken") or ""

    @property
    def session(self) -> str:
        """Return the session's cookie, or "" without one."""
        return self.client.cookies.get("sessionid") or ""

    @property
    def is_logged_in(self) -> bool:
        """Return whether the site knows who it is."""
        return self.get("/profile/").status_code == 200

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
