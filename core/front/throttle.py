"""Limits for what people do, by user and by address: log in, sign up, comment, follow, publish.

Each request that can write is counted, but for those in ``EXEMPT``. A page that has no throttle of
its own has that of ``write``.
"""

import re
from collections.abc import Mapping
from unicodedata import category, normalize

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.deprecation import MiddlewareMixin

from .client_address import network_of
from .counters import take
from .own_counts import Window
from .rates import Rate
from .refusal import Refusal, too_many

THROTTLE_OF = {
    "account_login": "login",
    "admin:login": "login",
    "account_reauthenticate": "login",
    "account_change_password": "login",
    "account_reset_password_from_key": "login",
    "account_signup": "signup",
    "account_reset_password": "reset",
    "account_email": "reset",
    "comment-create": "comment",
    "follow-author": "follow",
    "follow-category": "follow",
    "following": "follow",
    "article-publish": "publish",
}
"""The throttle of a page, by the name of its address."""

FIELD_OF = {"login": "login", "signup": "email", "reset": "email"}
"""The field that names whom a form is about, by the form's throttle.

No other field counts. A client could write another name into that at each attempt.
"""

PUBLISHING_FORMS = ("article-create", "article-edit")
"""Forms that publish an article if ``status`` says so, and else only write it."""

EXEMPT = frozenset({"account_logout", "admin:logout", "unsubscribe"})
"""Pages whose POSTs are not counted. Nobody is kept from logging out. Unsubscribing needs a signed
token, and a provider of mail does it for thousands of people from one address."""

LONGEST = 320
"""The length of a name, and of a mail address with the client's, to which they are told apart."""

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


class ThrottleMiddleware(MiddlewareMixin):
    """Answer 429 to a request that is one too many. It was not carried out then."""

    def process_view(self, request: HttpRequest, *args: object) -> HttpResponse | None:
        """Return the refusal, or None. Costs one round trip to Redis, and no query."""
        name = "" if request.method in SAFE else throttle_of(request)
        if not settings.THROTTLES.get(name):
            return None
        refusal = count(name, identities(request, FIELD_OF.get(name, "")))
        return refusal and too_many(request, refusal)


def throttle_of(request: HttpRequest) -> str:
    """Return the name of the request's throttle, or "" if it is exempt."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    if name in EXEMPT:
        return ""
    if name in PUBLISHING_FORMS and request.POST.get("status") == "published":
        return "publish"
    return THROTTLE_OF.get(name, "write")


def identities(request: HttpRequest, field: str = "") -> dict[str, str]:
    """Return whom a request is counted for, by what ``PER`` has. Those not known are left out.

    ``field`` is the form's field with a name or a mail address.

    Clients whose address isn't known share the limits of one.
    """
    address = network_of(request.META.get("REMOTE_ADDR", "")) or "unknown"
    known = {"user": user_key(request), "address": address}
    if name := request.POST.get(field, "").strip():
        known |= {"name": name, "name+address": f"{address}|{name}"}
    return {per: who for per, who in known.items() if who}


def user_key(request: HttpRequest) -> str:
    """Return the primary key of the user, or "" if nobody is logged in."""
    return str(request.user.pk) if request.user.is_authenticated else ""


def count(throttle: str, known: Mapping[str, str]) -> Refusal | None:
    """Count one more for a throttle, or return why it is one too many. Never raises."""
    rates = [rate for rate in settings.THROTTLES.get(throttle, ()) if rate.per in known]
    full = take([Window(key_of(throttle, rate, known), *rate[:2]) for rate in rates])
    return full and Refusal(throttle, rates[full.place], full.seconds)


def key_of(throttle: str, rate: Rate, known: Mapping[str, str]) -> str:
    """Return the counter's key. It tells nobody who reads Redis whom it counts."""
    text = fold(known[rate.per])
    who = salted_hmac("core.front.throttle", text, algorithm="sha256").hexdigest()
    return f"aftercommit:throttle:{throttle}:{rate.per}:{rate.seconds}:{who[:32]}"


def fold(text: str) -> str:
    """Return the text without case, accents, spaces, what can't be seen, and the plus of a mailbox.

    MySQL finds the user "mara" by "Mára" too, and mail to mara+1@example.com mostly goes to
    mara@example.com. Each such form would have tries of its own. Only the beginning counts, because
    a form can have a name of megabytes.
    """
    plain = normalize("NFKD", normalize("NFKD", text[:LONGEST]).casefold())
    mailbox = re.sub(r"\+[^@]*@", "@", plain)
    return "".join(each for each in mailbox if category(each)[0] not in "MCZ")
