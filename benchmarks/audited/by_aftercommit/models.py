"""This project's audit; ``AUDIT_MODELS`` names the model."""

from benchmarks.audited.item import AbstractItem
from core.tracking import AuditableMixin


class Item(AuditableMixin, AbstractItem):
    """Which knows what it was loaded as."""
