"""The addresses to which the site may send mail: those that their owners have verified."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models import F, QuerySet
from django.db.models.functions import Lower


def verified_address(user: User) -> str | None:
    """Return the user's address, as the database has it now, or None if no mail may go there.

    Mail may go to the address of an active user who has verified this very address.
    """
    return verified_addresses([user.pk]).get(user.pk)


def verified_addresses(user_ids: Iterable[int]) -> dict[int, str]:
    """Return the same for many users, by their keys, with one query. Leaves out who has none."""
    rows = _verified().filter(user__in=user_ids)
    return dict(rows.values_list("user_id", "email"))


def _verified() -> QuerySet[EmailAddress]:
    # User.email is the address, and a row of EmailAddress proves that it was verified. So an
    # address that the admin or a program writes to User.email counts as unverified.
    addresses = EmailAddress.objects.alias(current=Lower("user__email"))
    return addresses.filter(verified=True, user__is_active=True, email=F("current"))
