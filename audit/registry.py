"""The audited models and fields, as ``AUDIT_MODELS`` names them."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Field, ManyToManyField, Model
from django.utils.crypto import salted_hmac

from aftercommit.tracking.stored_row import MUTABLE_TYPES

from .secret_fields import is_secret

Fields = tuple[Field, ...]
Names = Collection[str]

OPTIONS = frozenset({"exclude", "mask", "show"})
"""The options of a model, each a list of fields: those that the log leaves out, those that it
masks whatever their names are, and those that it shows although their names tell of a secret."""

_fields: dict[type[Model], Fields] = {}
_masked: dict[type[Model], frozenset[str]] = {}
_relations: dict[type[Model], Any] = {}


def configured() -> Mapping[str, Any]:
    """Return the setting: ``{"app.Model": {"exclude": [field, …], "mask": …, "show": …}}``."""
    return getattr(settings, "AUDIT_MODELS", {})


def configured_models() -> Iterator[tuple[type[Model], Mapping[str, Names]]]:
    """Yield each model of the setting with its options.

    An entry that is wrong is left out, so that a slip never writes what should be excluded. The
    system checks name such an entry.
    """
    for label, options in configured().items():
        model = find_model(label)
        if model is not None and is_well_formed(options):
            yield model, options


def find_model(label: str) -> type[Model] | None:
    """Return the installed model that ``app.Model`` names, or None."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def is_well_formed(options: Any) -> bool:
    """Return whether a model's options are ``{}`` or some of ``OPTIONS``, each with a list."""
    if not isinstance(options, Mapping) or not options.keys() <= OPTIONS:
        return False
    return all(isinstance(names, list | tuple | set | frozenset) for names in options.values())


def register(
    model: type[Model], exclude: Names = (), mask: Names = (), show: Names = ()
) -> list[type[Model]]:
    """Remember the model's audited fields. Return the classes that send signals for its rows.

    These are the model itself and its proxies.
    """
    fields = model._meta.concrete_fields
    _fields[model] = tuple(field for field in fields if field.name not in exclude)
    _relations.update(_relations_of(model, exclude))
    fields_with_secrets.cache_clear()
    _masked[model] = frozenset(field.name for field in fields if is_secret(field, mask, show))
    proxies = [each for each in apps.get_models() if each._meta.proxy]
    return [model, *(each for each in proxies if each._meta.concrete_model is model)]


def _relations_of(model: type[Model], exclude: Names) -> dict[Any, Any]:
    fields = [field for field in model._meta.many_to_many if isinstance(field, ManyToManyField)]
    return {
        field.remote_field.through: None if field.name in exclude else field for field in fields
    }


def throughs(model: type[Model]) -> list[type[Model]]:
    """Return the models of the rows of its audited many-to-many fields."""
    return [through for through, field in _relations.items() if field and field.model is model]


def field_through(through: type[Model]) -> Any:
    """Return the audited many-to-many field that has these rows, or None."""
    return _relations.get(through)


def audited_models() -> list[type[Model]]:
    """Return every audited model."""
    return list(_fields)


def audited_fields(model: type[Model]) -> Fields:
    """Return the fields of ``model`` that the log may show, in the model's order."""
    return _fields[model._meta.concrete_model or model]


def masked_fields(model: type[Model]) -> frozenset[str]:
    """Return the names of the fields whose values the log masks, of any model."""
    concrete = model._meta.concrete_model or model
    if concrete not in _masked:  # one that isn't audited: an operator's action is logged, too
        fields = concrete._meta.concrete_fields
        _masked[concrete] = frozenset(field.name for field in fields if is_secret(field))
    return _masked[concrete]


@cache
def fields_with_secrets(model: type[Model]) -> Fields:
    """Return the fields that are secret, or whose values can have sensitive keys."""
    fields = (model._meta.concrete_model or model)._meta.concrete_fields
    masked = masked_fields(model)
    return tuple(f for f in fields if f.name in masked or f.get_internal_type() in MUTABLE_TYPES)


def has_masked_key(model: type[Model]) -> bool:
    """Return whether the model's primary key is a secret, as that of a token."""
    # Django 5.1 knows keys of one field only.
    keys = getattr(model._meta, "pk_fields", [model._meta.pk])
    return not masked_fields(model).isdisjoint(field.name for field in keys)


def id_of(instance: Model) -> str:
    """Return the object's id in the log: its primary key, or a hash of it if it is a secret."""
    key = str(instance.pk)
    if not has_masked_key(type(instance)):
        return key
    return f"hash:{salted_hmac('audit.registry', key, algorithm='sha256').hexdigest()[:40]}"


def label_of(instance: Model) -> str:
    """Return the object's label in the log. A proxy has the label of its model."""
    return (instance._meta.concrete_model or type(instance))._meta.label_lower
