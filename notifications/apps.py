"""Where the notifications join Django: their receivers."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Follows, and the mails that tell followers and authors what happened."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers."""
        from . import receivers  # noqa: F401
