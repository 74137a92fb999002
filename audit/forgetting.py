"""What the log has of a person. Its entries stay, and say "a deleted user".

An entry about something of the person keeps what happened to it and when. Its values are gone, but
for the keys of other rows.
"""

from collections.abc import Iterator
from typing import Any

from core.forgetting.calls import Arguments, Redactor, register_arguments
from core.forgetting.owned import is_named, is_owned
from core.forgetting.person import DELETED, Person, is_actor
from core.forgetting.places import Cleaner, ReadRows, Stage, register_place

from .masking import MASK
from .models import AuditLog
from .registry import find_model
from .tasks import write_audit_logs

FIELDS = ("user_id", "user_label", "address", "object_repr", "changes")
"""The fields of an entry that can tell of a person."""


def cleaner(person: Person) -> Cleaner:
    """Return the function that takes the person out of an entry."""

    def clean(entry: AuditLog) -> bool:
        before = {name: getattr(entry, name) for name in FIELDS}
        if is_actor(person, entry.user_id, entry.user_label):
            entry.user_id, entry.user_label, entry.address = None, DELETED, ""
        about = (entry.model_label, entry.object_id)
        entry.object_repr, entry.changes = _clean(person, *about, entry.object_repr, entry.changes)
        return before != {name: getattr(entry, name) for name in FIELDS}

    return clean


def redactor(person: Person) -> Redactor:
    """Return the function that takes the person out of an entry that is yet to be written."""

    def redact(kwargs: Arguments) -> Arguments:
        about = (str(kwargs.get("model", "")), str(kwargs.get("object_id", "")))
        values = (str(kwargs.get("object_repr", "")), kwargs.get("changes") or {})
        name, changes = _clean(person, *about, *values)
        cleaned = kwargs | {"object_repr": name, "changes": changes}
        if is_actor(person, kwargs.get("actor_id"), kwargs.get("actor")):
            cleaned |= {"actor_id": "", "actor": DELETED}
        return cleaned

    return redact


def without_texts(model_label: str, object_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the object's name and the changes of an entry, both without anything personal."""
    name = _neutral_name(model_label, object_id)
    return {"object_repr": name, "changes": _hide_values(model_label, changes)}


def _clean(
    person: Person, label: str, key: str, name: str, changes: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    values = list(_values(changes))
    if is_owned(person, label, key, values):
        return _neutral_name(label, key), _hide_values(label, changes)
    if is_named(person, label, key, values):
        name = _neutral_name(label, key)
    return person.redact(name), person.redact(changes)


def _values(changes: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield each field with each of its values, of an entry of any action."""
    for name, value in changes.items():
        if name in ("values", "deleted_values") and isinstance(value, dict):
            yield from value.items()
        elif isinstance(value, dict):
            yield from ((name, each) for each in value.values())


def _neutral_name(model_label: str, object_id: str) -> str:
    return f"{AuditLog(model_label=model_label).model_name} #{object_id}"


def _hide_values(model_label: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes without values, but for the keys of other rows."""
    model = find_model(model_label)
    fields = model._meta.concrete_fields if model else ()
    keys = {field.name for field in fields if field.primary_key or field.is_relation}
    return {name: _hide(name, value, keys) for name, value in changes.items()}


def _hide(name: str, value: Any, kept: set[str]) -> Any:
    if name in ("values", "deleted_values") and isinstance(value, dict):
        return {field: _hide(field, each, kept) for field, each in value.items()}
    if isinstance(value, dict):
        return {key: _hide(name, each, kept) for key, each in value.items()}
    return value if value is None or isinstance(value, bool) or name in kept else MASK


register_arguments(write_audit_logs.name, redactor)
register_place(
    ReadRows(
        "log entries",
        ("audit.auditlog",),
        AuditLog,
        cleaner,
        FIELDS,
        Stage.LOG,
    )
)
