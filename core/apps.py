"""Registers the system checks and the worker's sweep."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The outbox: durable calls of Celery tasks, in the transaction that makes them."""

    name = "core"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, the library's tasks and what belongs to a worker's life."""
        from core import checks  # noqa: F401  # registers itself
        from core.outbox import checks as outbox_checks  # noqa: F401  # so does this
        from core.outbox import draining, reconnect, sweep  # noqa: F401  # tasks, the worker's signals
        from core.outbox.signatures import extend_signatures

        extend_signatures()
