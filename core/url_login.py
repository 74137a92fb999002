"""A server's address, and the login apart from it: a password in a URL is shown by accident."""

import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

IN_QUERY = re.compile(r"(?:^|&)(?:username|password)=")
"""A login that redis-py would take. Celery can't read such a URL."""


class Parts(NamedTuple):
    """What a URL says of a server."""

    url: str
    """Without a login."""

    username: str = ""
    password: str = ""


def take_apart(url: str, schemes: Collection[str], refusal: str) -> Parts:
    """Take a URL apart. Raises ImproperlyConfigured with the refusal, and nothing of the URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        raise ImproperlyConfigured(refusal) from None
    is_hidden = "@" in parts.path + parts.fragment or IN_QUERY.search(parts.query)
    if parts.scheme not in schemes or is_hidden:
        raise ImproperlyConfigured(refusal)
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Parts(place, unquote(parts.username or ""), unquote(parts.password or ""))
