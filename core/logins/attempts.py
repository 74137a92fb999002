"""What is kept of a log-in that failed."""

from collections.abc import Iterable, Mapping
from typing import Any

from allauth.account.utils import filter_users_by_email, filter_users_by_username
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from aftercommit.printable import make_printable

from .models import FailedLogin

LONGEST = 254
"""The length of the longest mail address. A name has 150 characters at most."""


def describe_attempt(tried: str, request: HttpRequest | None) -> dict[str, Any]:
    """Return the values of the row for who tried to log in as ``tried``, but for the time.

    The keys are those of ``FailedLogin``. A name that no user has may be a password, and is
    replaced by a code that can't be turned back.
    """
    user = find_user_id(tried)
    meta = request.META if request else {}
    return {
        "user_id": user,
        "unknown": "" if user else code_of(tried),
        "address": bounded("address", meta.get("REMOTE_ADDR", "")),
        "user_agent": bounded("user_agent", meta.get("HTTP_USER_AGENT", "")),
        "page": bounded("page", request.path if request else ""),
    }


def tried_name(credentials: Mapping[str, Any]) -> str:
    """Return the name or mail address that Django's ``user_login_failed`` tells of."""
    return str(credentials.get("username") or credentials.get("email") or "")


def find_user_id(tried: str) -> Any:
    """Return the primary key of the user of a name or mail address, or None.

    No query is made for a text that is longer than any of them.
    """
    if len(tried) > LONGEST:
        return None
    if "@" in tried:
        users: Iterable[Any] = filter_users_by_email(tried, prefer_verified=True)
    else:
        users = filter_users_by_username(tried)[:1]
    return next((user.pk for user in users), None)


def code_of(tried: str) -> str:
    """Return a short code: the same for the same name, and made with the site's key."""
    return salted_hmac("core.logins", tried.strip().casefold(), algorithm="sha256").hexdigest()[:8]


def bounded(field: str, text: str) -> str:
    """Return the text on one line, without control characters, cut to the field's length."""
    return make_printable(text)[: getattr(FailedLogin._meta.get_field(field), "max_length", 0)]
