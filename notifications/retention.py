"""How long a delivery is kept once it is settled."""

from core.retention.kinds import Kind, Rows, register_kind

from .models import Delivery

UNSETTLED = (Delivery.Status.PENDING, Delivery.Status.SENDING)


def settled(deliveries: Rows) -> Rows:
    """Return the deliveries that no call in the outbox has yet to send."""
    return deliveries.exclude(status__in=UNSETTLED)


register_kind(Kind("deliveries", Delivery, "created_at", settled))
