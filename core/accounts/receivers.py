"""Receivers: each keeps an invariant in the transaction of the change."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from .addresses import end_change_of_address
from .models import Name
from .names import skeleton


@receiver(pre_save, sender=User)
def user_saving_small_letters(instance: User, raw: bool, **kwargs: Any) -> None:
    """Write the address in small letters, in which people who log in with it are looked for."""
    if not raw:
        instance.email = instance.email.lower()


@receiver(pre_save, sender=User)
def user_saving_end_change_of_address(instance: User, raw: bool, using: str, **kwargs: Any) -> None:
    """End a change of address when the password changes.

    Who knew the old password may have asked for it, and would get the account by the link. The
    link's page locks the address before the user, so that this has to come before the user's save.
    """
    is_changed = instance._password is not None  # type: ignore[attr-defined]  # not hashed anew
    if is_changed and instance.pk and not raw:
        end_change_of_address(instance, using)


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
