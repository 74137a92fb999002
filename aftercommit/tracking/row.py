"""A row's values as the database holds them, as far as a model instance knows."""

import copy
import weakref
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections, models

from aftercommit.db.callbacks import SureCallback
from aftercommit.tracking.fields import CounterField

MUTABLE_TYPES = {"JSONField", "ArrayField", "HStoreField"}


class Row:
    """The values that the database holds of one row, unless the transaction that wrote them rolled
    back: then those ``before`` them.

    ``marker`` lives on the connection's on_commit list alone. Django drops it there at a rollback
    of the transaction or of the savepoint. The commit hook calls it after COMMIT.
    """

    __slots__ = ("before", "marker", "pk", "values")

    def __init__(self, pk: Any, values: dict[str, Any], before: "Row | None" = None) -> None:
        self.pk = pk
        self.values = values
        self.before = before
        self.marker: weakref.ref[Marker] | None = None

    def stands(self) -> bool:
        """Whether the transaction that wrote the row has committed, or still may."""
        return self.marker is None or self.marker() is not None


class Marker(SureCallback):
    """What the transaction that wrote a row keeps for as long as it stands."""

    __slots__ = ("__weakref__", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        row.marker = weakref.ref(self)

    def __call__(self) -> None:
        self.row.marker = self.row.before = None


def is_expression(value: Any) -> bool:
    """Whether the database makes a value of it, such as of ``F("stock") - 1``."""
    return hasattr(value, "resolve_expression")


def is_comparable(field: Any, using: str) -> bool:
    """Whether the database can say whether a column has a value: a counter moves by itself, and
    what isn't one of Django's own types may have no equality."""
    stored: Any = field.target_field if field.remote_field else field
    own = stored.get_internal_type() in connections[using].data_types
    return own and not (_is_mutable(field) or isinstance(field, CounterField))


@cache
def mutable_fields(model: type[models.Model]) -> list[Any]:
    """The fields whose values can change in place."""
    fields = model._meta.concrete_fields
    return [field for field in fields if isinstance(field, models.FileField) or _is_mutable(field)]


def _is_mutable(field: Any) -> bool:
    return field.get_internal_type() in MUTABLE_TYPES


def stored_value(field: Any, value: Any) -> Any:
    """A copy of ``value`` as the database returns it: a Decimal, say, for a float."""
    if is_expression(value):
        return value
    if isinstance(field, models.FileField):
        return str(value or "")
    if _is_mutable(field):
        return copy.deepcopy(value)
    try:
        return field.to_python(value)
    except ValidationError:
        return value
