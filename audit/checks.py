"""System checks of the settings of the log."""

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import CheckMessage, Error, Warning, register
from django.db.models import Model
from django.utils.module_loading import import_string

from . import names
from .encrypted import is_encrypted
from .registry import configured, find_model, is_well_formed

Options = Mapping[str, Collection[str]]


@register
def check_audit_models(**kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong in the setting, each with its model's or its field's name."""
    return [
        message for label, options in configured().items() for message in _check(label, options)
    ]


def _check(label: str, options: Any) -> Iterator[CheckMessage]:
    model = find_model(label)
    if model is None:
        yield Error(
            f"AUDIT_MODELS names {label!r}, which is not an installed model.",
            hint='Write "app_label.ModelName", such as "content.Article".',
            id="audit.E001",
        )
    elif not is_well_formed(options):
        yield Error(
            f"AUDIT_MODELS[{label!r}] is {options!r}. Expected {{}}, or some of "
            "{'exclude': [field, …], 'mask': [field, …], 'show': [field, …]}.",
            id="audit.E003",
        )
    else:
        yield from _check_fields(label, model, options)


def _check_fields(label: str, model: type[Model], options: Options) -> Iterator[CheckMessage]:
    fields = {field.name: field for field in model._meta.concrete_fields}
    related = {field.name: field for field in model._meta.many_to_many}
    for option in sorted(options):
        known = fields | related if option == "exclude" else fields
        for name in sorted(map(str, set(options[option]).difference(known))):
            yield Error(
                f"AUDIT_MODELS[{label!r}] {option}s {name!r}, which is not a field of that model.",
                hint=f"Its fields are {', '.join(known)}.",
                id="audit.E002",
            )
    for (one, its), (other, others) in combinations(sorted(options.items()), 2):
        for name in sorted(map(str, set(its).intersection(others))):
            text = f"AUDIT_MODELS[{label!r}] has {name!r} in both {one!r} and {other!r}."
            yield Error(text, hint="Take it out of one of them.", id="audit.E004")
    yield from _check_shown(
        label, model, [fields[n] for n in options.get("show", ()) if n in fields]
    )


def _check_shown(label: str, model: type[Model], shown: list[Any]) -> Iterator[CheckMessage]:
    for field in filter(is_encrypted, shown):
        yield Error(
            f"AUDIT_MODELS[{label!r}] shows {field.name!r}, which is encrypted in its column.",
            hint="Take it out of 'show'. If its class encrypts nothing, say so in "
            "AUDIT_FIELD_CLASSES.",
            id="audit.E005",
        )
    if issubclass(model, AbstractBaseUser) and "password" in [field.name for field in shown]:
        yield Warning(
            f"AUDIT_MODELS[{label!r}] writes password hashes to the log.",
            hint="Take 'password' out of its 'show'.",
            id="audit.W001",
        )


@register
def check_sensitive_names(**kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong in ``AUDIT_SENSITIVE_NAMES``."""
    given = getattr(settings, "AUDIT_SENSITIVE_NAMES", None)
    if names.is_well_formed(given):
        return []
    text = f"AUDIT_SENSITIVE_NAMES is {given!r}. Expected a list of names, such as ['iban']."
    return [Error(text, hint="Each name has letters.", id="audit.E006")]


@register
def check_field_classes(**kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong in ``AUDIT_FIELD_CLASSES``."""
    given = getattr(settings, "AUDIT_FIELD_CLASSES", {})
    if not isinstance(given, dict):
        text = f"AUDIT_FIELD_CLASSES is {given!r}. Expected {{'path.of.Class': 'mask' or 'show'}}."
        return [Error(text, id="audit.E007")]
    return [message for path, choice in given.items() for message in _check_class(path, choice)]


def _check_class(path: Any, choice: Any) -> Iterator[CheckMessage]:
    if choice not in ("mask", "show"):
        yield Error(
            f"AUDIT_FIELD_CLASSES[{path!r}] is {choice!r}. Expected 'mask' or 'show'.",
            id="audit.E007",
        )
    try:
        found = import_string(path)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not (isinstance(found, type) and f"{found.__module__}.{found.__qualname__}" == path):
        yield Error(
            f"AUDIT_FIELD_CLASSES names {path!r}, which is not a class.",
            hint="Write the module that defines the class, and its name.",
            id="audit.E008",
        )
