"""The page for a request that is one too many."""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .rates import Rate

WHAT = {
    "login": "attempts with a password",
    "signup": "sign-ups",
    "reset": "requests for a link by mail",
    "comment": "comments",
    "follow": "changes of what is followed",
    "publish": "articles published",
    "write": "changes",
}
"""What the page says that there was too much of."""


FOR_WHOM = {
    "user": "from your account",
    "address": "from your network",
    "name": "for this name",
    "name+address": "for this name from your network",
}
"""What the page says of what was counted, by a rate's ``per``."""

LONG = 60
"""Texts from this number of characters on are shown. The page sends shorter ones again unseen."""


class Refusal(NamedTuple):
    """A request that is one too many: of which throttle, by which rate, and for how long yet."""

    throttle: str
    rate: Rate
    seconds: int


def too_many(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return the page that says when to try again, with what the user wrote."""
    context = {
        "what": WHAT[refusal.throttle],
        "whom": FOR_WHOM[refusal.rate.per],
        "most": refusal.rate.amount,
        "period": duration(refusal.rate.seconds),
        "wait": duration(refusal.seconds),
        "kept": kept_fields(request),
        "files": bool(request.FILES),
    }
    response = render(request, "429.html", context, status=429)
    response["Retry-After"], response["Cache-Control"] = str(refusal.seconds), "no-store"
    return response


def kept_fields(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """Return the names and values that the form sent, and whether the value is a text to show.

    Return none if a password is among them, which no page shows.
    """
    fields = [*each_field(request)]
    if any("password" in name for name, _ in fields):
        return []
    return [(name, value, len(value) >= LONG or "\n" in value) for name, value in fields]


def each_field(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield the names and values that the form sent, but for its token."""
    for name, values in request.POST.lists():
        if name != "csrfmiddlewaretoken":
            yield from ((name, value) for value in values)


def duration(seconds: int) -> str:
    """Return the time in words, rounded up: "40 seconds", "2 minutes", "1 hour"."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds > length:
            return f"{ceil(seconds / length)} {unit}s"
        if seconds == length:
            return f"1 {unit}"
    return f"{seconds} second{'s' * (seconds > 1)}"
