"""Make the record of each mail that is to be sent."""

from collections.abc import Iterable
from email.utils import make_msgid, parseaddr
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from .models import Delivery

Status = Delivery.Status


def create_deliveries(kind: str, event: str, users: Iterable[User], **about: Any) -> list[Delivery]:
    """Make a delivery for each user who has none for this event. Return those that are to be sent.

    ``event`` names what happened, once and for all. A user who can't be reached gets a skipped
    delivery, with the reason.
    """
    planned = {f"{kind}:{event}:{user.pk}": user for user in users}
    known = set(Delivery.objects.filter(key__in=planned).values_list("key", flat=True))
    new = [
        _delivery(user, key=key, kind=kind, **about)
        for key, user in planned.items()
        if key not in known
    ]
    Delivery.objects.bulk_create(new)
    return [delivery for delivery in new if delivery.status == Status.PENDING]


def reason_unreachable(user: User | None, address: str) -> str:
    """Return why no mail can reach the user at this address, or ""."""
    if user is None:
        return "The recipient is gone."
    if not user.is_active:
        return "The recipient's account is inactive."
    if not address:
        return "The recipient has no address."
    try:
        validate_email(address)
    except ValidationError:
        return "The recipient's address is not valid."
    return ""


def _delivery(user: User, **values: Any) -> Delivery:
    reason = reason_unreachable(user, user.email)
    return Delivery(
        recipient=user,
        address=user.email,
        message_id=make_msgid(domain=_domain()),
        status=Status.SKIPPED if reason else Status.PENDING,
        error=reason,
        **values,
    )


def _domain() -> str:
    # To look up the host's own name can take seconds, and the name means nothing outside.
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
