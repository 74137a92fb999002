"""Names of objects for the log, without a query in the request that changes the object."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import connections
from django.db.models import Max, Model

from aftercommit.tracking.auditable import AuditableMixin

from .masking import hide, mask_text, secrets_in, texts_in
from .models import AuditLog
from .registry import fields_with_secrets, find_model, has_masked_key, masked_fields

LABEL_LENGTH: int = AuditLog._meta.get_field("object_repr").max_length or 200


class QueryRefused(Exception):
    """A label was asked for where it may not cost a query."""


def label_without_query(instance: Model, using: str) -> str:
    """Return ``label(instance)``, or "" if it would need a query."""
    with connections[using].execute_wrapper(_refuse):
        return label(instance)


def label(instance: Model) -> str:
    """Return ``str(instance)`` without secrets, at most 200 characters, or "" if it fails."""
    try:
        return hide(mask_text(str(instance)), _secrets(instance))[:LABEL_LENGTH]
    except Exception:  # noqa: BLE001  # however a __str__ fails, the change must not fail with it
        return ""


def _secrets(instance: Model) -> Iterator[str]:
    """Yield the secrets that the object and the objects it refers to hold, without a query."""
    related = [each for each in instance._state.fields_cache.values() if isinstance(each, Model)]
    for each in (instance, *related):
        masked = masked_fields(type(each))
        for field in fields_with_secrets(type(each)):
            for value in _known_values(each, field):
                yield from texts_in(value) if field.name in masked else secrets_in(value)


def _known_values(instance: Model, field: Any) -> Iterator[Any]:
    if field.attname in instance.__dict__:
        yield instance.__dict__[field.attname]
    if isinstance(instance, AuditableMixin):
        yield instance.original(field.name)


def name_unnamed(logs: Sequence[AuditLog], using: str) -> None:
    """Fill the labels that the request left empty.

    By the object as it is now, then by what the log called it last, then by "Article #5".
    """
    unnamed = defaultdict(list)
    for log in logs:
        if not log.object_repr:
            unnamed[log.model_label].append(log)
    for model_label, entries in unnamed.items():
        labels = _labels(model_label, {log.object_id for log in entries}, logs, using)
        for log in entries:
            log.object_repr = labels.get(log.object_id) or f"{log.model_name} #{log.object_id}"


def _labels(
    model_label: str, ids: set[str], logs: Iterable[AuditLog], using: str
) -> dict[str, str]:
    model = find_model(model_label)
    if model is not None and has_masked_key(model):
        model = None  # the ids are hashes, by which nothing is found
    objects = model._base_manager.using(using).filter(pk__in=ids) if model else ()
    now = {str(instance.pk): label(instance) for instance in objects}
    if not (gone := ids - now.keys()):
        return now
    same = [log for log in logs if log.model_label == model_label and log.object_repr]
    unwritten = {log.object_id: log.object_repr for log in same}
    return _last_labels(model_label, gone, using) | unwritten | now


def _last_labels(model_label: str, ids: set[str], using: str) -> dict[str, str]:
    entries = AuditLog.objects.using(using).filter(model_label=model_label, object_id__in=ids)
    newest = entries.order_by().values("object_id").annotate(newest=Max("pk")).values("newest")
    rows = AuditLog.objects.using(using).filter(pk__in=newest)
    return dict(rows.values_list("object_id", "object_repr"))


def _refuse(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
    raise QueryRefused(sql)
