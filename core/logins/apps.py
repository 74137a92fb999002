"""The failed log-ins as an app."""

from django.apps import AppConfig


class LoginsConfig(AppConfig):
    """The record of log-ins that failed."""

    name = "core.logins"
    verbose_name = "Log-ins"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Follow failed log-ins, and have their rows end."""
        from core.logins import forgetting, receivers, retention  # noqa: F401  # they register themselves
