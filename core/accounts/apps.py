"""The accounts as an app: its receivers, and the user model whose changes they follow."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """What this site adds to django-allauth."""

    name = "core.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers, and follow the changes of Django's own ``User``."""
        from django.contrib.auth.models import User

        from aftercommit.tracking.auditable import adopt

        from . import forgetting, receivers  # noqa: F401  # they register themselves

        adopt(User)
