"""This project's audit; ``AUDIT_MODELS`` names the model."""

from aftercommit.tracking.auditable import AuditableMixin
from benchmarks.audited.item import AbstractItem


class Item(AuditableMixin, AbstractItem):
    """Which knows what it was loaded as."""
