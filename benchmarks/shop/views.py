"""The request that is measured."""

from django.http import HttpRequest, HttpResponse

from benchmarks.contender import active


def publish(request: HttpRequest, effects: int) -> HttpResponse:
    """Save one item with so many effects."""
    active().save(effects)
    return HttpResponse(status=204)


def healthz(request: HttpRequest) -> HttpResponse:
    """An answer."""
    return HttpResponse("ok")
