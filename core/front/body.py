"""A limit for the body of every request, before anything of it is read."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin


class BodyMiddleware(MiddlewareMixin):
    """Answer 413 to a request that says that its body has more than ``MAX_BODY_BYTES``.

    Django reads no more of a body than that. A body without a length has been counted, up to the
    limit, by ``core.serving``. A WSGI server hands on none of it.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Return the refusal, or None for a body that is small enough."""
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0  # Django takes it for that, too, and reads nothing
        if length <= settings.MAX_BODY_BYTES:
            return None
        return HttpResponse(render_to_string("413.html"), status=413)
