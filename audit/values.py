"""Values of an object's fields as an entry has them: the text of the stored value, or None.

What is secret is masked here, in the request, so that no call and no log has it.
"""

import datetime
import json
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.utils import timezone

from aftercommit.models import OutboxCall
from aftercommit.tracking.auditable import AuditableMixin

from .masking import MASK, mask_text
from .names import is_sensitive
from .registry import audited_fields, masked_fields

Values = dict[str, str | None]


def created_values(instance: models.Model, using: str) -> dict[str, Any]:
    """Return ``{"created": True, "values": {field: value}}`` of a new instance."""
    return {"created": True, "values": _all_values(instance, using)}


def deleted_values(instance: AuditableMixin, using: str) -> dict[str, Any]:
    """Return ``{"deleted_values": {field: value}}`` of the row that was just deleted."""
    fields = audited_fields(type(instance))
    values = {f.name: shown(f, as_text(f, instance.original(f.name), using)) for f in fields}
    return {"deleted_values": values}


def call_values(call: OutboxCall, using: str) -> Values:
    """Return what the log keeps of a discarded call: neither its error nor texts of its arguments.

    Texts can be secret or personal. Names and numbers say which call it was.
    """
    names = ("task", "status", "created_at", "attempts", "crashes")
    fields = [field for field in call._meta.concrete_fields if field.name in names]
    values = {field.name: as_text(field, getattr(call, field.name), using) for field in fields}
    return values | {"arguments": _shown_arguments(call.payload)}


def changed_values(instance: AuditableMixin, using: str) -> dict[str, Any]:
    """Return ``{field: {"old": value, "new": value}}`` for each field that the save changed."""
    changes = instance.changes()
    changed = [field for field in audited_fields(type(instance)) if field.name in changes]
    pairs = {f: [as_text(f, value, using) for value in changes[f.name]] for f in changed}
    return {
        field.name: {"old": shown(field, old), "new": shown(field, new)}
        for field, (old, new) in pairs.items()
        if old != new
    }


def operated_values(row: models.Model, values: dict[str, Any], using: str) -> dict[str, Any]:
    """Return ``{field: {"old": value, "new": value}}`` of a row that an operator changed."""
    fields = [field for field in row._meta.concrete_fields if field.name in values]
    return {
        field.name: {
            "old": shown(field, as_text(field, getattr(row, field.attname), using)),
            "new": shown(field, as_text(field, values[field.name], using)),
        }
        for field in fields
    }


def shown(field: models.Field, text: str | None) -> str | None:
    """Return the text of a field's value with what is secret masked. None stays None."""
    if not text:
        return text
    return MASK if field.name in masked_fields(field.model) else mask_text(text)


def as_text(field: models.Field, value: Any, using: str) -> str | None:
    """Return what Django's serializers write for the value once it is stored. None stays None."""
    stored = _as_stored(field, value, using)
    if stored is None:
        return None
    instance: Any = SimpleNamespace(**{field.attname: stored})
    text = field.value_to_string(instance)
    if isinstance(text, str):
        return text
    return json.dumps(text, cls=getattr(field, "encoder", None), sort_keys=True)


def _shown_arguments(payload: str) -> str | None:
    try:
        args, kwargs, *_ = json.loads(payload)
        named = [f"{name}={_argument(value, name)}" for name, value in kwargs.items()]
        return ", ".join([*map(_argument, args), *named])
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # they can't be read, which may be why it failed


def _argument(value: Any, name: str = "") -> str:
    tells_nothing = isinstance(value, int | float | None) and not is_sensitive(name)
    return json.dumps(value) if tells_nothing else "…"


def _all_values(instance: models.Model, using: str) -> Values:
    fields = audited_fields(type(instance))
    loaded = instance.__dict__
    known = {field.attname: loaded[field.attname] for field in fields if field.attname in loaded}
    # The value that the database made of an expression costs a query, so only those are read.
    computed = [name for name, value in known.items() if hasattr(value, "resolve_expression")]
    known |= _select(instance, computed, using) if computed else {}
    loaded_fields = [field for field in fields if field.attname in known]
    return {f.name: shown(f, as_text(f, known[f.attname], using)) for f in loaded_fields}


def _select(instance: models.Model, names: Iterable[str], using: str) -> dict[str, Any]:
    rows = type(instance)._base_manager.using(using).filter(pk=instance.pk)
    return rows.values(*names).first() or {}


def _as_stored(field: models.Field, value: Any, using: str) -> Any:
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    try:
        value = target.to_python(value)
    except ValidationError:
        return value  # The database took it all the same: say what it was given.
    if isinstance(value, Decimal) and isinstance(target, models.DecimalField):
        return _rounded(target, value, using)
    if isinstance(value, datetime.datetime):
        return _in_utc(value)
    return value


def _rounded(field: Any, value: Decimal, using: str) -> Decimal:
    if field.decimal_places is None or not value.is_finite():
        return value
    # SQLite keeps the value, and Django rounds it when it is read. Other databases round it first.
    rounding = ROUND_HALF_EVEN if connections[using].vendor == "sqlite" else ROUND_HALF_UP
    places = Decimal(1).scaleb(-field.decimal_places)
    return value.quantize(places, rounding, context=field.context)


def _in_utc(value: datetime.datetime) -> datetime.datetime:
    if not settings.USE_TZ:
        return value
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(datetime.UTC)
