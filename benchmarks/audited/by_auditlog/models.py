"""django-auditlog."""

from auditlog.registry import auditlog

from benchmarks.audited.item import AbstractItem


@auditlog.register()
class Item(AbstractItem):
    """Whose changes receivers log."""
