"""The trail of a product, as the example's usage transcript shows it."""

from typing import Any

import pytest

from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content.models import Product

pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)


def newest() -> AuditLog:
    """``AuditLog.objects.first()``, once a worker would have written it."""
    drain_all()
    log = AuditLog.objects.first()
    assert log is not None
    return log


def test_trail_of_a_product() -> None:
    """A product is created, gets a new price and is deleted; each leaves its entry."""
    values: Any = {"name": "Widget", "price": 9.99, "stock": 100}
    product = Product.objects.create(**values)

    log = newest()
    assert repr(log) == "<AuditLog: CREATE Product #1>"
    assert log.changes == {
        "created": True,
        "values": {
            "id": "1",
            "name": "Widget",
            "price": "9.99",
            "stock": "100",
            "is_active": "True",
        },
    }

    price: Any = 14.99
    product.price = price
    product.save()

    log = newest()
    assert log.action == "UPDATE"
    assert log.changes == {"price": {"old": "9.99", "new": "14.99"}}

    product.delete()

    log = newest()
    assert log.action == "DELETE"
    assert log.changes == {
        "deleted_values": {
            "id": "1",
            "name": "Widget",
            "price": "14.99",
            "stock": "100",
            "is_active": "True",
        }
    }
    assert [each.action for each in AuditLog.objects.all()] == ["DELETE", "UPDATE", "CREATE"]
