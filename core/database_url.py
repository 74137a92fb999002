"""The address of the database, with the password in it or apart from it."""

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

EXPECTED = (
    "Expected postgres://USER@HOST:PORT/NAME, mysql://USER@HOST:PORT/NAME or sqlite:///PATH, "
    "with the password in DATABASE_PASSWORD."
)

OPTIONS = {"password", "passwd", "passfile"}
"""The options of a URL's query by which a driver takes a password, too."""


def read_database_url(url: str, password: str) -> dict[str, Any]:
    """Return the database as Django's settings have it.

    Any text can be a password if it is apart from the URL. Raises ImproperlyConfigured, with
    nothing of the URL in its text.
    """
    try:
        parsed = dict[str, Any](dj_database_url.parse(url))
    except (ValueError, KeyError, dj_database_url.ParseError):
        raise ImproperlyConfigured(f"DATABASE_URL can't be read. {EXPECTED}") from None
    if not password:
        return parsed
    if parsed.get("PASSWORD") or not OPTIONS.isdisjoint(parsed.get("OPTIONS", {})):
        raise ImproperlyConfigured(
            "DATABASE_URL has a password, and DATABASE_PASSWORD gives one too. Leave one of them "
            "out."
        )
    if parsed.get("ENGINE") == "django.db.backends.sqlite3":
        raise ImproperlyConfigured(
            "DATABASE_PASSWORD is for a server, and DATABASE_URL names none. Leave it out, or name "
            "the server in DATABASE_URL."
        )
    return {**parsed, "PASSWORD": password}
