"""System checks of ``AUDIT_MODELS``."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import CheckMessage, Error, Warning, register
from django.db.models import Model

from .registry import configured, find_model, is_well_formed


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
            f"AUDIT_MODELS[{label!r}] is {options!r}. Expected {{}} or {{'exclude': [field, …]}}.",
            id="audit.E003",
        )
    else:
        yield from _check_fields(label, model, set(options.get("exclude", ())))


def _check_fields(label: str, model: type[Model], exclude: set[str]) -> Iterator[CheckMessage]:
    names = [field.name for field in model._meta.concrete_fields]
    for name in sorted(exclude.difference(names)):
        yield Error(
            f"AUDIT_MODELS[{label!r}] excludes {name!r}, which is not a field of that model.",
            hint=f"Its fields are {', '.join(names)}.",
            id="audit.E002",
        )
    if issubclass(model, AbstractBaseUser) and "password" not in exclude:
        yield Warning(
            f"AUDIT_MODELS[{label!r}] writes password hashes to the log.",
            hint="Add 'password' to its 'exclude'.",
            id="audit.W001",
        )
