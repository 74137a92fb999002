"""Requests that are decoded as UTF-8, whatever they say that they are."""

from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.utils.http import parse_header_parameters


class SiteRequest(WSGIRequest):
    """A request that keeps the charset of its Content-Type for ``TextMiddleware`` to look at.

    Django decodes the query by that charset before any middleware runs. A charset such as ``hex``
    raises an error there, which nothing handles.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(
            meta.get("CONTENT_TYPE", "")
        )
