"""The audited models and fields, as ``AUDIT_MODELS`` names them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Field, Model

Fields = tuple[Field, ...]

_fields: dict[type[Model], Fields] = {}


def configured() -> Mapping[str, Any]:
    """Return the setting: ``{"app.Model": {"exclude": [field, …]}}``."""
    return getattr(settings, "AUDIT_MODELS", {})


def configured_models() -> Iterator[tuple[type[Model], Collection[str]]]:
    """Yield each model of the setting with the fields that it excludes.

    An entry that is wrong is left out, so that a slip never writes what should be excluded. The
    system checks name such an entry.
    """
    for label, options in configured().items():
        model = find_model(label)
        if model is not None and is_well_formed(options):
            yield model, options.get("exclude", ())


def find_model(label: str) -> type[Model] | None:
    """Return the installed model that ``app.Model`` names, or None."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def is_well_formed(options: Any) -> bool:
    """Return whether a model's options are ``{}`` or ``{"exclude": [name, …]}``."""
    if not isinstance(options, Mapping) or not options.keys() <= {"exclude"}:
        return False
    return isinstance(options.get("exclude", ()), (list, tuple, set, frozenset))


def register(model: type[Model], exclude: Collection[str] = ()) -> list[type[Model]]:
    """Remember the model's audited fields. Return the classes that send signals for its rows.

    These are the model itself and its proxies.
    """
    fields = model._meta.concrete_fields
    _fields[model] = tuple(field for field in fields if field.name not in exclude)
    proxies = [each for each in apps.get_models() if each._meta.proxy]
    return [model, *(each for each in proxies if each._meta.concrete_model is model)]


def audited_models() -> list[type[Model]]:
    """Return every audited model."""
    return list(_fields)


def audited_fields(model: type[Model]) -> Fields:
    """Return the fields of ``model`` that the log may show, in the model's order."""
    return _fields[model._meta.concrete_model or model]


def label_of(instance: Model) -> str:
    """Return the object's label in the log. A proxy has the label of its model."""
    return (instance._meta.concrete_model or type(instance))._meta.label_lower
