"""The address of Redis, and the login apart from it: a password in a URL is shown by accident."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from core.given_secrets import given_secret
from core.url_login import take_apart

EXPECTED = "Expected redis://HOST:PORT/NUMBER, with the password in REDIS_PASSWORD."


class RedisLogin(NamedTuple):
    """Where Redis is, and who asks."""

    url: str
    """Without a login."""

    username: str = ""
    password: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str], fallback: "RedisLogin") -> Self:
        """Return what the environment says, or the fallback. Raises ImproperlyConfigured."""
        url, password = environ.get("REDIS_URL"), given_secret(environ, "REDIS_PASSWORD")
        login = cls.parse(url) if url else cls(*fallback)
        if url and password and login.password:
            raise ImproperlyConfigured(
                "REDIS_URL has a password, and REDIS_PASSWORD gives one too. Leave one of them out."
            )
        username = environ.get("REDIS_USERNAME") or login.username
        return login._replace(username=username, password=password or login.password)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart. Raises ImproperlyConfigured, with nothing of the URL in its text."""
        refusal = f"REDIS_URL can't be read. {EXPECTED}"
        return cls(*take_apart(url, ("redis", "rediss"), refusal))

    @property
    def options(self) -> dict[str, Any]:
        """Return the login as options of a client of redis-py."""
        given = {"username": self.username, "password": self.password}
        return {name: value for name, value in given.items() if value}

    @property
    def environment(self) -> dict[str, str]:
        """Return the login as variables of the environment of a process."""
        names = ("REDIS_URL", "REDIS_USERNAME", "REDIS_PASSWORD")
        return dict(zip(names, self, strict=True))

    @property
    def full_url(self) -> str:
        """Return the address with the login, for a client that takes nothing else."""
        if not self.password:
            return self.url
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}"
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()
