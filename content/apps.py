"""The domain as an app: its receivers, and the user model whose changes it follows."""

from django.apps import AppConfig


class ContentConfig(AppConfig):
    """The articles, the people who write them, and the products."""

    name = "content"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers, and follow the changes of Django's own ``User``."""
        from django.contrib.auth.models import User

        from aftercommit.tracking.auditable import adopt

        from . import forgetting, receivers, retention  # noqa: F401

        adopt(User)
