"""Pages for load balancers and monitors."""

from collections.abc import Callable

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from aftercommit.operations.health import check_health

View = Callable[[HttpRequest], HttpResponse]


def outside_transactions(view: View) -> View:
    """Return the view, called outside any transaction, whatever ATOMIC_REQUESTS says."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@outside_transactions
@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Return 200 whenever this process answers. Asks neither the database nor the cache."""
    return HttpResponse("ok\n", content_type="text/plain")


@outside_transactions
@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Return 200 if the outbox has no problem, else 503, with the problems and figures as JSON."""
    health = check_health().as_json()
    return JsonResponse(health, status=200 if health["ready"] else 503)
