"""The effects done by signal handlers in the request, as tutorials show it."""

from typing import TYPE_CHECKING, Any

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """Receivers of ``pre_save`` and ``post_save`` that do the work themselves."""

    label = "synchronous handlers"
    differs = "does the effects in the request, and reads what the item was"

    def set_up(self) -> None:
        """Connect the receivers."""
        from django.db.models.signals import post_save, pre_save

        from benchmarks.shop.models import Item

        pre_save.connect(self.item_pre_save_remember_original, sender=Item)
        post_save.connect(self.item_post_save_do_effects, sender=Item)

    def save_item(self, item: "Item", effects: int) -> None:
        """The receivers do the rest."""
        item.effects = effects  # type: ignore[attr-defined]  # for the receiver
        item.save()

    def item_pre_save_remember_original(self, instance: Any, **kwargs: Any) -> None:
        """Load what the item was: an audit log has to know."""
        original = type(instance).objects.get(pk=instance.pk)
        instance.original = {
            field.name: getattr(original, field.name) for field in instance._meta.fields
        }

    def item_post_save_do_effects(self, instance: Any, **kwargs: Any) -> None:
        """See what has changed, and do the effects of that."""
        changed = [
            name for name, value in instance.original.items() if getattr(instance, name) != value
        ]
        if changed:
            self.do_effects(instance, instance.effects)

    def do_effects(self, item: "Item", effects: int) -> None:
        """Log rows and counters."""
        from benchmarks.shop.effects import do_effect

        for number in range(effects):
            do_effect(number, item.pk, item.title)
