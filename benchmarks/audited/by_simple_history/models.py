"""django-simple-history."""

from simple_history.models import HistoricalRecords

from benchmarks.audited.item import AbstractItem


class Item(AbstractItem):
    """Of which receivers keep each state."""

    history = HistoricalRecords()
