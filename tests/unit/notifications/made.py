"""Deliveries, as a test wants to find them."""

from typing import Any

from notifications.models import Delivery
from tests.factories import UserFactory


def make_delivery(key: object, **values: Any) -> Delivery:
    """A delivery to somebody, about an article that is gone."""
    user = UserFactory.create()
    fields = {"recipient": user, "address": user.email, "article_id": 4711}
    fields |= {"kind": "article_published", **values}
    return Delivery.objects.create(key=str(key), **fields)
