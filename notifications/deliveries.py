"""Make the record of each mail that is to be sent."""

from collections.abc import Sequence
from email.utils import make_msgid, parseaddr
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from core.accounts.addresses import verified_addresses

from .models import Delivery

Status = Delivery.Status


def create_deliveries(kind: str, event: str, users: Sequence[User], **about: Any) -> list[Delivery]:
    """Make a delivery for each user who has none for this event. Return the deliveries made.

    ``event`` names what happened, once and for all. A user who can't be reached gets a skipped
    delivery, with the reason.
    """
    planned = {f"{kind}:{event}:{user.pk}": user for user in users}
    for key in Delivery.objects.filter(key__in=planned).values_list("key", flat=True):
        del planned[key]
    addresses = verified_addresses(user.pk for user in users)
    Delivery.objects.bulk_create(
        _delivery(user, addresses.get(user.pk, ""), key=key, kind=kind, **about)
        for key, user in planned.items()
    )
    # MySQL doesn't say which primary keys the rows got.
    return list(Delivery.objects.filter(key__in=planned))


def reason_unreachable(user: User | None, address: str) -> str:
    """Return why no mail can reach the user at this verified address, or ""."""
    if user is None:
        return "The recipient is gone."
    if not user.is_active:
        return "The recipient's account is inactive."
    if not address:
        return "The recipient has no verified address."
    try:
        validate_email(address)
    except ValidationError:
        return "The recipient's address is not valid."
    return ""


def _delivery(user: User, address: str, **values: Any) -> Delivery:
    reason = reason_unreachable(user, address)
    return Delivery(
        recipient=user,
        address=address,
        message_id=make_msgid(domain=_domain()),
        status=Status.SKIPPED if reason else Status.PENDING,
        error=reason,
        **values,
    )


def _domain() -> str:
    # To look up the host's own name can take seconds, and the name means nothing outside.
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
