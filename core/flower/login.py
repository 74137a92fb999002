"""The login of Flower, as whoever runs it has given it."""

import re
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

from core.given_secrets import given_secret

LOGIN = re.compile(r"[\x20-\x7e]*[^\s:][\x20-\x7e]*:[\x20-\x7e]+")


def given_login(environ: Mapping[str, str]) -> str:
    """Return the login, or "" if none is given. Raises ImproperlyConfigured.

    Flower lets nobody in by a login without a colon, and can't compare another one than ASCII.
    """
    login = given_secret(environ, "FLOWER_BASIC_AUTH")
    if login and not LOGIN.fullmatch(login):
        raise ImproperlyConfigured(
            "FLOWER_BASIC_AUTH is not a login. Expected NAME:PASSWORD, both of ASCII characters."
        )
    return login


def required_login(environ: Mapping[str, str]) -> str:
    """Return the login. Raises ImproperlyConfigured if there is none: Flower would let all in."""
    if login := given_login(environ):
        return login
    raise ImproperlyConfigured(
        "FLOWER_BASIC_AUTH is not set, and neither is FLOWER_BASIC_AUTH_FILE. "
        "Expected NAME:PASSWORD, or a file with them."
    )
