"""A proxy of an audited model, for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import post_delete, post_save, pre_delete

from audit import receivers, registry


@contextmanager
def connected_proxy(model: type[models.Model]) -> Iterator[Any]:
    """A proxy class of ``model``, audited as if it had been there from the start."""
    meta = type("Meta", (), {"proxy": True, "app_label": model._meta.app_label})
    attributes = {"Meta": meta, "__module__": model.__module__}
    fields = {f.name for f in model._meta.concrete_fields}
    exclude = fields - {f.name for f in registry.audited_fields(model)}
    proxy: Any = type(f"{model.__name__}Proxy", (model,), attributes)
    try:
        receivers.connect(model, exclude)
        yield proxy
    finally:
        post_save.disconnect(receivers.saved_write_audit_log, sender=proxy)
        pre_delete.disconnect(receivers.deleting_lock_row, sender=proxy)
        post_delete.disconnect(receivers.deleted_write_audit_log, sender=proxy)
        del apps.all_models[model._meta.app_label][proxy._meta.model_name]
        apps.clear_cache()
