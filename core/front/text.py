"""Refuse text that no database can store, before a query is made with it."""

import re

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, QueryDict
from django.http.request import UnreadablePostError
from django.utils.deprecation import MiddlewareMixin

UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL, and half of a character: a database's driver raises an error for either."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters. No address of the site has one."""


class TextMiddleware(MiddlewareMixin):
    """Answer 404 to a path with control characters, and 400 to a field that can't be stored.

    A cookie that can't be stored is left out, because any site of the same domain can set it.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Look at all that a view can read. Raises Http404 or BadRequest."""
        if CONTROL.search(request.path_info):
            raise Http404("No address has a control character.")
        refuse_charset(request)
        refuse_unstorable(request.GET)
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if ok(value)}

    def process_view(self, request: HttpRequest, *args: object) -> None:
        """Look at the form, once it is known that there is a view for it. Raises BadRequest."""
        try:
            refuse_unstorable(request.POST)
        except UnreadablePostError as error:
            raise BadRequest("The request ended before its body did.") from error


def ok(text: str) -> bool:
    """Return whether a database can store the text."""
    return not UNSTORABLE.search(text)


def refuse_unstorable(fields: QueryDict) -> None:
    """Raise BadRequest if a name or a value can't be stored."""
    for name, values in fields.lists():
        if not all(map(ok, [name, *values])):
            raise BadRequest(f"The field {name!r} has a character that can't be stored.")


def refuse_charset(request: HttpRequest) -> None:
    """Raise BadRequest for a body that says it is not in UTF-8.

    Django would decode with any of Python's codecs. Some of them raise errors of their own.
    """
    given = (request.content_params or {}).get("charset", "utf-8")
    if given.lower() != "utf-8":
        request.encoding = "utf-8"  # for what looks at the request to report the refusal
        raise BadRequest(f"The charset of the request is {given!r}. Send UTF-8.")
