"""The values of one row in the database, as far as a model instance knows them."""

import copy
import weakref
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections, models

from aftercommit.db.callbacks import SureCallback
from aftercommit.tracking.fields import CounterField

MUTABLE_TYPES = {"JSONField", "ArrayField", "HStoreField"}
"""Types of fields whose values can change in place, so that they must be copied to be compared."""

CONVERTERS = (
    "get_db_prep_save",
    "get_db_prep_value",
    "get_internal_type",
    "get_lookup",
    "get_prep_value",
    "pre_save",
)
"""Methods by which a field decides what its column has, and what it can be compared with."""


class StoredRow:
    """The values that one row has in the database.

    They hold unless the transaction that wrote them rolled back. Then those of ``before`` hold.
    ``marker`` refers to an object that only the connection's on_commit list keeps alive. Django
    drops it there when the transaction or the savepoint rolls back. The commit hook calls it after
    COMMIT.
    """

    __slots__ = ("before", "marker", "pk", "values")

    def __init__(self, pk: Any, values: dict[str, Any], before: "StoredRow | None" = None) -> None:
        self.pk = pk
        self.values = values
        self.before = before
        self.marker: weakref.ref[TransactionMarker] | None = None

    def is_valid(self) -> bool:
        """Return True if the transaction that wrote the row has committed, or still can."""
        return self.marker is None or self.marker() is not None


class TransactionMarker(SureCallback):
    """An on_commit callback that exists as long as the transaction that wrote a row is valid."""

    __slots__ = ("__weakref__", "row")

    def __init__(self, row: StoredRow) -> None:
        self.row = row
        row.marker = weakref.ref(self)

    def __call__(self) -> None:
        """Have the row's values hold for good, because they are committed."""
        self.row.marker = self.row.before = None


def is_expression(value: Any) -> bool:
    """Return True for what the database makes a value of, such as ``F("stock") - 1``."""
    return hasattr(value, "resolve_expression")


def is_comparable(field: Any, using: str) -> bool:
    """Return True if a condition can hold the column against a value.

    A counter moves by itself. A type that isn't one of Django's own can lack equality, and so can
    a column that has something else than the value, such as the value encrypted.
    """
    stored: Any = field.target_field if field.remote_field else field
    own = stored.get_internal_type() in connections[using].data_types
    other = _is_mutable(field) or isinstance(field, CounterField) or _is_converted(stored.__class__)
    return own and not other


@cache
def _is_converted(cls: type) -> bool:
    """Return whether a class that isn't Django's decides what the column has for a value."""
    foreign = [each for each in cls.__mro__ if each.__module__.partition(".")[0] != "django"]
    return any(name in vars(each) for each in foreign for name in CONVERTERS)


def is_own_change(field: Any) -> bool:
    """Return False for a field whose new value is no change by its author: the key, a counter."""
    return not (field.primary_key or field.generated or isinstance(field, CounterField))


@cache
def mutable_fields(model: type[models.Model]) -> list[Any]:
    """Return the fields whose values can change in place."""
    fields = model._meta.concrete_fields
    return [field for field in fields if isinstance(field, models.FileField) or _is_mutable(field)]


def _is_mutable(field: Any) -> bool:
    return field.get_internal_type() in MUTABLE_TYPES


def stored_value(field: Any, value: Any) -> Any:
    """Return a copy of ``value`` as the database returns it: a Decimal, say, for a float."""
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
