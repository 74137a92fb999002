"""The audit log as an app: its checks, and the models that are audited."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The log of every change to every model that ``AUDIT_MODELS`` names."""

    name = "audit"
    verbose_name = "Audit log"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and the retention, and follow each configured model."""
        from aftercommit.tracking.auditable import adopt

        from . import checks, forgetting, receivers, registry, retention  # noqa: F401

        for model, options in registry.configured_models():
            adopt(model)
            receivers.connect(model, **options)
