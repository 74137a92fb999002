"""The requests that are measured: a bare save, and the same save in a page."""

import random

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from benchmarks.contender import ITEMS, active, new_text
from benchmarks.shop.models import Item

RELATED = 20
"""How many rows a page lists."""


def publish(request: HttpRequest, effects: int) -> HttpResponse:
    """Save one item with so many effects. Behind no middleware."""
    active().save(effects)
    return HttpResponse(status=204)


@login_required
def page(request: HttpRequest, effects: int) -> HttpResponse:
    """Load an item, save it with so many effects, and show it with the next ones.

    Behind the middleware of Django's ``startproject``.
    """
    item = get_object_or_404(Item, pk=random.randint(1, ITEMS - RELATED))
    item.text = new_text()
    with transaction.atomic():
        active().save_item(item, effects)
    related = Item.objects.filter(pk__gt=item.pk).order_by("pk")[:RELATED]
    return render(request, "shop/page.html", {"item": item, "related": related})


def healthz(request: HttpRequest) -> HttpResponse:
    """An answer."""
    return HttpResponse("ok")
