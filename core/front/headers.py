"""What a browser is told that it may do with a page of the site."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'self'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""No page needs a script or a style of its own text, so that the policy is the same for all."""


class HeadersMiddleware(MiddlewareMixin):
    """Add the headers, unless a view has set its own."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the response with the headers. Django's pages for debugging need their scripts."""
        if not (settings.DEBUG and response.status_code >= 400):
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response
