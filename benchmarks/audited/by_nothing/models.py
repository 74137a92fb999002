"""No audit at all."""

from benchmarks.audited.item import AbstractItem


class Item(AbstractItem):
    """Of which nothing is logged."""
