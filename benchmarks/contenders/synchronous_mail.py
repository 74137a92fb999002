"""The effects done by signal handlers in the request, the last of them a mail."""

from typing import TYPE_CHECKING

from benchmarks.contenders import synchronous

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(synchronous.This):
    """A mail server that answers at once."""

    label = "synchronous, mail at once"
    differs = f"{synchronous.This.differs}; the last effect is a mail"

    def do_effects(self, item: "Item", effects: int) -> None:
        """All but one as without mail, and a mail."""
        super().do_effects(item, effects - 1)
        self.send_mail(item)

    def send_mail(self, item: "Item") -> None:
        """One mail, over a connection of its own."""
        from benchmarks.shop.effects import send_mail

        send_mail(item.pk, item.title)
