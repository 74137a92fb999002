"""django-pghistory."""

import pghistory

from benchmarks.audited.item import AbstractItem


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Item(AbstractItem):
    """Of which triggers keep each state."""
