"""The site as an app: its system checks."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The project package of this site. It has no tables."""

    name = "core"
    verbose_name = "Site"

    def ready(self) -> None:
        """Register the system checks."""
        from core import checks  # noqa: F401  # they register themselves
