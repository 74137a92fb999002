"""The pages for load balancers and monitors, before anything that could refuse the request."""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from aftercommit.views import live, ready

PROBES = {"/healthz": live, "/readyz": ready}
"""The views by their addresses. A probe asks by the machine's own address and without TLS."""


class ProbeMiddleware(MiddlewareMixin):
    """Answer a probe, whatever its Host header says, and without a redirect to HTTPS."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Return the probe's answer, or None for any other request."""
        view = PROBES.get(request.path_info)
        return view(request) if view else None
