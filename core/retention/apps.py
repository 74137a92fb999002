"""Retention as an app: its task, its checks, and the kinds of rows that other packages made."""

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    """What ends by itself after some days. It has no tables."""

    name = "core.retention"
    verbose_name = "Retention"

    def ready(self) -> None:
        """Register the checks and the kinds."""
        from core.retention import checks, health, others  # noqa: F401  # they register themselves
