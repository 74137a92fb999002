"""The operation with no effects at all: the floor."""

from typing import TYPE_CHECKING

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """The save alone."""

    label = "no effects"
    differs = "the floor"

    def add_effects(self, item: "Item", effects: int) -> None:
        """None."""
