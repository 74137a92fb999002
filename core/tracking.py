"""What a model instance was loaded as, what a save changes in it, and who is changing it."""

import copy
import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models, router, transaction

from core.fields import CounterField

if TYPE_CHECKING:
    _Base = models.Model
else:
    _Base = object

MUTABLE_TYPES = {"JSONField", "ArrayField", "HStoreField"}


class _Row:
    """The values that the database holds of one row, unless the transaction that wrote them rolled
    back: then those ``before`` them.

    ``marker`` lives on the connection's on_commit list alone. Django drops it there at a rollback
    of the transaction or of the savepoint, and calls it after COMMIT.
    """

    __slots__ = ("before", "marker", "values")

    def __init__(self, values: dict[str, Any], before: "_Row | None" = None) -> None:
        self.values = values
        self.before = before
        self.marker: weakref.ref[_Marker] | None = None

    def stands(self) -> bool:
        return self.marker is None or self.marker() is not None


class _Marker:
    __slots__ = ("__weakref__", "row")

    def __init__(self, row: _Row) -> None:
        self.row = row

    def __call__(self) -> None:
        self.row.marker = self.row.before = None


class _Save(NamedTuple):
    """What a save that has written, and is sending its signals, did."""

    before: _Row | None
    changes: dict[str, tuple[Any, Any]]


class AuditableMixin(_Base):
    """A model whose instances know what they were loaded as and who changes them.

    ``save()`` and ``delete()`` run in one transaction with their signals, so that what a receiver
    hands to ``delay_on_commit`` commits with the change also in autocommit mode. It costs no extra
    query, but where a value can't be known otherwise: a deferred field that was assigned, an
    expression such as ``F("stock") - 1``, an instance built by hand for a row that exists.

    Name it before ``models.Model``: ``class Product(AuditableMixin, models.Model)``.
    """

    _row: _Row | None = None
    _save: _Save | None = None
    _current_user: Any = None

    def set_current_user(self, user: Any) -> None:
        """Say that ``user`` makes the changes from here on; it wins over the request's user."""
        self._current_user = user

    @property
    def current_user(self) -> Any:
        """The user that ``set_current_user`` named, or None."""
        return self._current_user

    def original(self, name: str) -> Any:
        """The value of field ``name`` before the save; None for a new row or a deferred field."""
        row = self._save.before if self._save else self._standing_row()
        field: Any = self._meta.get_field(name)
        return row.values.get(field.attname) if row else None

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Each field that this save changes, as ``{name: (old, new)}``; empty for a new row.

        Valid until the save's signals have run. A foreign key counts by its raw value.
        """
        return self._save.changes if self._save else self._diff(self._standing_row())

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Any:
        instance = super().from_db(db, field_names, values, **kwargs)
        instance._row = _Row(_frozen(cls, dict(zip(field_names, values, strict=False))))
        return instance

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        names = None if fields is None else frozenset(fields)
        super().refresh_from_db(using, None if names is None else list(names), from_queryset)
        row = self._standing_row()
        known = {} if row is None or names is None else row.values
        self._row = _Row({**known, **self._values(names)})

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        outer = self._save
        try:
            with transaction.atomic(using=using, savepoint=False):
                super().save_base(*args, **kwargs)
        finally:
            self._save = outer

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            deleted: tuple[int, dict[str, int]] = super().delete(*args, **kwargs)
        return deleted

    def _save_table(
        self,
        raw: bool = False,
        cls: Any = None,
        force_insert: bool = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Any = None,
    ) -> bool:
        # Between the statement and post_save: the one moment that sees what was written, also when
        # a receiver saves the instance again.
        options = (raw, cls, force_insert, force_update, using, update_fields)
        updated: bool
        if cls is not self._meta.concrete_model:
            updated = super()._save_table(*options)  # type: ignore[misc]  # Django's own, not public
            return updated
        names = None if update_fields is None else frozenset(update_fields)
        if not (raw or force_insert):
            self._load_unknown(using, names)
        updated = super()._save_table(*options)  # type: ignore[misc]  # Django's own, not public
        before = self._standing_row() if updated else None
        computed = self._select_computed(using, names)
        if not raw:
            self._save = _Save(before, self._diff(before, names, computed))
        self._mark_written(using, before, {**self._values(names), **computed})
        return updated

    def _standing_row(self) -> _Row | None:
        while self._row is not None and not self._row.stands():
            self._row = self._row.before
        return self._row

    def _diff(
        self,
        row: _Row | None,
        names: frozenset[str] | None = None,
        computed: dict[str, Any] | None = None,
    ) -> dict[str, tuple[Any, Any]]:
        known = row.values if row else {}
        pairs = {
            field.name: (known[field.attname], self._new_value(field, computed or {}))
            for field in self._written_fields(names)
            if field.attname in known
        }
        return {name: (old, new) for name, (old, new) in pairs.items() if old != new}

    def _written_fields(self, names: frozenset[str] | None) -> list[Any]:
        """The fields that a save with ``update_fields=names`` writes, but the key and counters."""
        return [
            field
            for field in self._meta.concrete_fields
            if not (field.primary_key or field.generated or isinstance(field, CounterField))
            and field.attname in self.__dict__
            and (names is None or field.name in names or field.attname in names)
        ]

    def _new_value(self, field: Any, computed: dict[str, Any]) -> Any:
        value = computed.get(field.attname, self.__dict__[field.attname])
        if isinstance(field, models.FileField):
            return str(value or "")
        try:
            return value if _is_expression(value) else field.to_python(value)
        except ValidationError:
            return value

    def _values(self, names: frozenset[str] | None) -> dict[str, Any]:
        """A copy of the loaded values: all of them, or those of the fields in ``names``."""
        return _frozen(
            type(self),
            {
                field.attname: self.__dict__[field.attname]
                for field in self._meta.concrete_fields
                if field.attname in self.__dict__
                and (names is None or field.name in names or field.attname in names)
            },
        )

    def _mark_written(
        self, using: str | None, before: _Row | None, written: dict[str, Any]
    ) -> None:
        self._row = _Row({**(before.values if before else {}), **written}, before)
        marker = _Marker(self._row)
        self._row.marker = weakref.ref(marker)
        transaction.on_commit(marker, using=using)

    def _load_unknown(self, using: str | None, names: frozenset[str] | None) -> None:
        """Read the old values of what is about to be overwritten without having been loaded."""
        row = self._standing_row()
        if self.pk is None or (row is None and self._state.adding and _has_default(self._meta.pk)):
            return  # a new row: Django inserts it without trying an UPDATE first
        known = row.values if row else {}
        fields = self._written_fields(names)
        unknown = [field.attname for field in fields if field.attname not in known]
        if values := self._select(using, unknown):
            self._row = _Row({**known, **values})

    def _select_computed(self, using: str | None, names: frozenset[str] | None) -> dict[str, Any]:
        """What the database made of the expressions that were saved."""
        fields = self._written_fields(names)
        attnames = [f.attname for f in fields if _is_expression(self.__dict__[f.attname])]
        return self._select(using, attnames)

    def _select(self, using: str | None, attnames: Sequence[str]) -> dict[str, Any]:
        if not attnames:
            return {}
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        return rows.values(*attnames).first() or {}

    def __getstate__(self) -> dict[str, Any]:
        # A copy or a pickle leaves the transaction behind: it takes what stands now.
        row = self._standing_row()
        return {**super().__getstate__(), "_row": row and _Row(dict(row.values)), "_save": None}


def adopt(model: type[models.Model]) -> None:
    """Give a third-party model, such as ``auth.User``, the mixin; call it in ``ready()``."""
    if not issubclass(model, AuditableMixin):
        model.__bases__ = (AuditableMixin, *model.__bases__)


def _has_default(field: Any) -> bool:
    return bool(field.has_default() or field.has_db_default())


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _frozen(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    """``values``, with those that can change in place replaced by copies."""
    for field in model._meta.concrete_fields:
        if field.attname in values:
            if isinstance(field, models.FileField):
                values[field.attname] = str(values[field.attname] or "")
            elif field.get_internal_type() in MUTABLE_TYPES:
                values[field.attname] = copy.deepcopy(values[field.attname])
    return values
