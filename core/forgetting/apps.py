"""Forgetting as an app: its command, its task, and the places of other packages."""

from django.apps import AppConfig


class ForgettingConfig(AppConfig):
    """What removes a person's data from everywhere. It has no tables."""

    name = "core.forgetting"
    verbose_name = "Forgetting"

    def ready(self) -> None:
        """Register the places."""
        from core.forgetting import calls, others, sessions  # noqa: F401  # they register themselves
