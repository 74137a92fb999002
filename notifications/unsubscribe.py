"""The page that the links in mails lead to. It needs no log-in."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from .unsubscribing import Subscription


@method_decorator([never_cache, csrf_exempt], name="dispatch")
class Unsubscribe(View):
    """Ends the mails that the token names.

    GET changes nothing, because programs that look for viruses open each link of a mail. POST is
    what a mail program sends for its own button (RFC 8058), without a cookie. So neither a session
    nor a CSRF token is asked for here: the token in the address stands for both.
    """

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Ask whether the mails are to end."""
        return self._answer(request, Subscription.read(token), done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """End them, and say so. Once more it says the same."""
        subscription = Subscription.read(token)
        if subscription is not None:
            subscription.end()
        return self._answer(request, subscription, done=True)

    def _answer(self, request: HttpRequest, found: Subscription | None, done: bool) -> HttpResponse:
        context: dict[str, Any] = {"subscription": found, "done": done}
        status = 404 if found is None else 200
        return render(request, "notifications/unsubscribe.html", context, status=status)
