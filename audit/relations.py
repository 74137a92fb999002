"""Changes of many-to-many fields: which objects an object got, and which were taken from it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db.models import Model

from .labels import label
from .models import AuditLog

Keys = list[str]


def related_keys(
    field: Any, instance: Model, reverse: bool, keys: Collection[Any] | None, using: str
) -> list[Any]:
    """Return the keys of what is related to the instance, or those of ``keys`` that are.

    The rows are locked, so that nobody else takes them away from here on.
    """
    near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
    if reverse:
        near, far = far, near
    rows = field.remote_field.through._base_manager.using(using).filter(**{near: instance.pk})
    if keys is not None:
        rows = rows.filter(**{f"{far}__in": keys})
    return list(rows.select_for_update().values_list(far, flat=True))


def by_owner(
    field: Any, instance: Model, reverse: bool, keys: Collection[Any]
) -> Iterator[tuple[Model, Keys]]:
    """Yield each object that has the field, with the keys of its others.

    In reverse, as ``group.user_set.add(user)`` is, an object is known by its key alone.
    """
    if reverse:
        yield from ((field.model(pk=key), [str(instance.pk)]) for key in sorted(keys))
    elif keys:
        yield instance, [str(key) for key in sorted(keys)]


def name_related(logs: Sequence[AuditLog], using: str) -> None:
    """Write the names of the related objects, where the request wrote a list of their keys."""
    for log in logs:
        for name, change in log.changes.items():
            if isinstance(change, dict):
                for side, keys in change.items():
                    if isinstance(keys, list):
                        change[side] = _names(log.model, name, keys, using)


def _names(model: type[Model] | None, name: str, keys: Keys, using: str) -> str:
    names = {}
    if model is not None:
        related: Any = model._meta.get_field(name).related_model
        objects = related._base_manager.using(using).filter(pk__in=keys)
        objects = objects.select_related(*_required(related) or [None])
        names = {str(each.pk): f"{label(each)} " for each in objects}
    return ", ".join(f"{names.get(key, '')}(#{key})" for key in keys)


def _required(model: type[Model]) -> list[Any]:
    """Return the names of the foreign keys that are never empty. A row's name may need them."""
    fields = model._meta.concrete_fields
    return [each.name for each in fields if each.many_to_one and not each.null]
