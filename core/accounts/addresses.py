"""The addresses to which the site may send mail: those that their owners have verified."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Lower

ADDRESS_LENGTH = 254


def verified_address(user: User) -> str | None:
    """Return the user's address, as the database has it now, or None if no mail may go there.

    Mail may go to the address of an active user who has verified this very address.
    """
    return verified_addresses([user.pk]).get(user.pk)


def loaded_address(user: User) -> str | None:
    """Return the same for a user who was loaded just now. It takes half the time."""
    rows = EmailAddress.objects.filter(user=user.pk, verified=True, email=user.email.lower())
    emails = rows.values_list("email", flat=True)[:1] if user.is_active else []
    return next(iter(emails), None)


def verified_addresses(user_ids: Iterable[int]) -> dict[int, str]:
    """Return the same for many users, by their keys, with one query. Leaves out who has none."""
    rows = _verified().filter(user__in=user_ids)
    return dict(rows.values_list("user_id", "email"))


def _verified() -> QuerySet[EmailAddress]:
    # User.email is the address, and a row of EmailAddress proves that it was verified. So an
    # address that the admin or a program writes to User.email counts as unverified.
    addresses = EmailAddress.objects.alias(current=Lower("user__email"))
    return addresses.filter(verified=True, user__is_active=True, email=F("current"))


def waits_for_verification(user: AbstractBaseUser) -> bool:
    """Return whether the user signed up with an address that nobody has verified yet."""
    return EmailAddress.objects.filter(user_id=user.pk, primary=True, verified=False).exists()


def mark_verified(user: User) -> None:
    """Take the user's address as verified: an operator knows that it is the user's.

    Raises ValidationError if the user has no address, or if it is another account's.
    """
    email = user.email.lower()
    if not email:
        raise ValidationError(f"{user.username} has no address.")
    if EmailAddress.objects.filter(email=email, verified=True).exclude(user=user).exists():
        raise ValidationError(f"The address of {user.username} is another account's, verified.")
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).exclude(email=email).delete()
        verified = {"primary": True, "verified": True}
        EmailAddress.objects.update_or_create(user=user, email=email, defaults=verified)


def lock_rows(email: str) -> list[int]:
    """Have others who verify this address wait, also where no constraint keeps them from it.

    Return the keys of its rows.
    """
    rows = EmailAddress.objects.select_for_update().filter(email=email)
    return list(rows.values_list("pk", flat=True))


def end_change_of_address(user: User, using: str) -> None:
    """Delete the address that the user is yet to verify instead of the one that there is."""
    waiting = EmailAddress.objects.using(using).filter(user=user, primary=False, verified=False)
    with transaction.atomic(using=using):
        # Locked, because who follows the link can verify it at this moment.
        keys = list(waiting.select_for_update().values_list("pk", flat=True))
        EmailAddress.objects.using(using).filter(pk__in=keys).delete()


def validate_plain(email: str) -> None:
    """Refuse an address that can be written in several ways. Raises ValidationError."""
    if not email.isascii():
        raise ValidationError(
            "Enter an address of plain letters. Write the letters of other alphabets in its domain "
            "as xn--….",
            code="invalid",
        )
    if '"' in email or "[" in email:
        raise ValidationError(
            "Enter an address such as ann@example.com, without quotation marks and brackets.",
            code="invalid",
        )
    if len(email) > ADDRESS_LENGTH:
        raise ValidationError(
            "An address has at most %(limit)d characters.",
            code="max_length",
            params={"limit": ADDRESS_LENGTH},
        )
