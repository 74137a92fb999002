"""The notifications as an app: their receivers and their checks."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Follows, and the mails that tell followers and authors what happened."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers, and register the checks and what ends data."""
        from . import checks, forgetting, health, receivers, retention  # noqa: F401
