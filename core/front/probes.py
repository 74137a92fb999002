"""The pages for load balancers and monitors, before anything that could refuse the request."""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from aftercommit.views import live, outside_transactions, ready
from core.serving import drain


@outside_transactions
@require_safe
@never_cache
def serving(request: HttpRequest) -> HttpResponse:
    """Return 200 while this server is to be given requests, and 503 once it is told to stop."""
    word, status = ("stopping", 503) if drain.has_begun() else ("serving", 200)
    return HttpResponse(f"{word}\n", status=status, content_type="text/plain")


PROBES = {"/healthz": live, "/servez": serving, "/readyz": ready}
"""The views by their addresses. A probe asks by the machine's own address and without TLS."""


class ProbeMiddleware(MiddlewareMixin):
    """Answer a probe, whatever its Host header says, and without a redirect to HTTPS."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Return the probe's answer, or None for any other request."""
        view = PROBES.get(request.path_info)
        return view(request) if view else None
