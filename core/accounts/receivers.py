"""Receivers: each keeps an invariant in the transaction of the change."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from .models import Name
from .names import skeleton


@receiver(pre_save, sender=User)
def user_saving_small_letters(instance: User, raw: bool, **kwargs: Any) -> None:
    """Write the address in small letters, in which people who log in with it are looked for."""
    if not raw:
        instance.email = instance.email.lower()


@receiver(post_save, sender=User)
def user_saved_end_change_of_address(
    instance: User, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """End a change of address when the password changes.

    Who knew the old password may have asked for it, and would get the account by the link.
    """
    is_changed = instance._password is not None  # type: ignore[attr-defined]  # not hashed anew
    if is_changed and not created and not raw:
        waiting = EmailAddress.objects.using(using).filter(user=instance, primary=False)
        waiting.filter(verified=False).delete()


@receiver(post_save, sender=User)
def user_saved_keep_name(
    instance: User, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Take the name. Raises IntegrityError if another user has one that looks like it."""
    if raw or not (created or "username" in instance.changes()):  # type: ignore[attr-defined]
        return
    Name.objects.using(using).update_or_create(
        user=instance, defaults={"skeleton": skeleton(instance.username)}
    )
