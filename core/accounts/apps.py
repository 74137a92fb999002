"""The accounts as an app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """What this site adds to django-allauth."""

    name = "core.accounts"
    default_auto_field = "django.db.models.BigAutoField"
