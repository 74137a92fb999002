"""What a model instance was loaded as, what a save changes in it, and who is changing it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models, router, transaction
from django.db.models import NOT_PROVIDED

from aftercommit.tracking.fields import CounterField
from aftercommit.tracking.row import (
    Marker,
    Row,
    is_comparable,
    is_expression,
    mutable_fields,
    stored_value,
)

if TYPE_CHECKING:
    _Base = models.Model
else:
    _Base = object


class _Save(NamedTuple):
    """What a save that has written, and is sending its signals, did."""

    before: Row | None
    changes: dict[str, tuple[Any, Any]]


class AuditableMixin(_Base):
    """A model whose instances know what they were loaded as and who changes them.

    ``save()`` runs in one transaction with its signals, as Django's ``delete()`` does, so that what
    a receiver hands to ``delay_on_commit`` commits with the change also in autocommit mode. It
    costs no extra query, but where a value can't be known otherwise: a deferred field that was
    assigned, an expression such as ``F("stock") - 1``, an instance built by hand for a row that
    exists.

    Name it before ``models.Model``: ``class Product(AuditableMixin, models.Model)``.
    """

    _row: Row | None = None
    _save: _Save | None = None
    _locked: bool | None = None
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
        if self._save:
            return self._save.changes
        return self._diff(self._standing_row(), self._values())

    def lock_row(self, using: str | None) -> bool:
        """Whether the row is still there; locked, and ``original`` as it is now.

        For receivers of ``pre_delete`` and ``post_delete``: Django sends them also for a row that
        another transaction has deleted. Asked once in a deletion, before it.
        """
        if self._locked is None:
            names = [field.attname for field in self._meta.concrete_fields]
            self._locked = self._relearn(using, names)
        return self._locked

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Any:
        instance = super().from_db(db, field_names, values, **kwargs)
        loaded = dict(zip(field_names, values, strict=False))
        for field in mutable_fields(cls):
            if field.attname in loaded:
                loaded[field.attname] = stored_value(field, loaded[field.attname])
        instance._row = Row(instance.pk, loaded)
        return instance

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        names = None if fields is None else frozenset(fields)
        super().refresh_from_db(using, None if names is None else list(names), from_queryset)
        self._learn(self._values(names))

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        outer, self._save = self._save, None
        try:
            with transaction.atomic(using=using, savepoint=False):
                super().save_base(*args, **kwargs)
        finally:
            self._save = outer

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        self._locked = None
        with transaction.atomic(using=using, savepoint=False):
            if self.pk is not None and not self.lock_row(using):
                return 0, {}
            try:
                deleted: tuple[int, dict[str, int]] = super().delete(*args, **kwargs)
            finally:
                self._locked = None
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
        names = None if update_fields is None else frozenset(update_fields)
        if not (raw or force_insert or self._is_inserted(force_update)):
            self._load_unknown(using, names)
        updated: bool = super()._save_table(*options)  # type: ignore[misc]  # Django's own
        if cls is not self._meta.concrete_model:
            return updated  # the table of a parent; the model's own comes last
        before = self._standing_row() if updated else None
        written = {**self._values(names), **self._select_computed(using, names, before)}
        if not raw:
            self._save = _Save(before, self._diff(before, written))
        self._mark_written(using, before, written)
        return updated

    def _do_update(  # type: ignore[override]  # Django's own, with more arguments in 6.1
        self, rows: Any, using: str, pk: Any, values: Any, *args: Any, **kwargs: Any
    ) -> Any:
        # Only if the row still has the values that this instance knows, so that what the save is
        # said to change is what it changes. If another transaction was first, its values are read.
        update: Any = super()._do_update
        known = self._known_conditions(using, [field for field, _, _ in values])
        if updated := update(rows.filter(known), using, pk, values, *args, **kwargs):
            return updated
        if not known or not self._relearn(using, [field.attname for field, _, _ in values]):
            return updated
        return update(rows, using, pk, values, *args, **kwargs)

    def _known_conditions(self, using: str, fields: Sequence[Any]) -> models.Q:
        row = self._standing_row()
        known = row.values if row else {}
        conditions = models.Q()
        for field in fields:
            if field.attname in known and is_comparable(field, using):
                value = known[field.attname]
                lookup = f"{field.attname}__isnull" if value is None else field.attname
                conditions &= models.Q((lookup, True if value is None else value))
        return conditions

    def _relearn(self, using: str | None, attnames: Sequence[str]) -> bool:
        """Lock the row and read it anew; whether it is there."""
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        values = rows.select_for_update().values(*attnames).first()
        self._learn(values or {})
        return values is not None

    def _standing_row(self) -> Row | None:
        while self._row is not None and not self._row.stands():
            self._row = self._row.before
        return self._row if self._row is not None and self._row.pk == self.pk else None

    def _learn(self, values: dict[str, Any]) -> None:
        """Add what was read to what is known, for as long as that stands."""
        row = self._standing_row() or Row(self.pk, {})
        row.values = {**row.values, **values}
        self._row = row

    def _diff(self, row: Row | None, new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        known = row.values if row else {}
        return {
            field.name: (known[field.attname], new[field.attname])
            for field in self._meta.concrete_fields
            if field.attname in known
            and field.attname in new
            and known[field.attname] != new[field.attname]
            and _is_told(field)
        }

    def _loaded_fields(self, names: frozenset[str] | None) -> list[Any]:
        """All fields that aren't deferred, or those of them that are in ``names``."""
        return [
            field
            for field in self._meta.concrete_fields
            if field.attname in self.__dict__
            and (names is None or field.name in names or field.attname in names)
        ]

    def _written_fields(self, names: frozenset[str] | None) -> list[Any]:
        """The fields that a save with ``update_fields=names`` writes, but the key and counters."""
        return [field for field in self._loaded_fields(names) if _is_told(field)]

    def _values(self, names: frozenset[str] | None = None) -> dict[str, Any]:
        """The values of the loaded fields, as the database returns them."""
        fields = self._loaded_fields(names)
        return {
            field.attname: stored_value(field, self.__dict__[field.attname]) for field in fields
        }

    def _mark_written(self, using: str | None, before: Row | None, written: dict[str, Any]) -> None:
        values = {**(before.values if before else {}), **written}
        self._row = Row(self.pk, values, before)
        transaction.on_commit(Marker(self._row), using=using)

    def _is_inserted(self, force_update: bool) -> bool:
        """Whether Django inserts the row without trying an UPDATE first."""
        # Django 5.1 knows keys of one field only.
        fields = getattr(self._meta, "pk_fields", [self._meta.pk])
        is_set = getattr(self, "_is_pk_set", lambda: self.pk is not None)
        defaults = all(f.has_default() or f.db_default is not NOT_PROVIDED for f in fields)
        is_new = self._state.adding and defaults and not force_update
        return is_new or not is_set()

    def _load_unknown(self, using: str | None, names: frozenset[str] | None) -> None:
        """Read the old values of what is about to be overwritten without having been loaded."""
        row = self._standing_row()
        known = row.values if row else {}
        fields = self._written_fields(names)
        unknown = [field.attname for field in fields if field.attname not in known]
        if values := self._select(using, unknown):
            self._learn(values)

    def _select_computed(
        self, using: str | None, names: frozenset[str] | None, before: Row | None
    ) -> dict[str, Any]:
        """Read what the database made of the expressions that were saved.

        From Django 6.1 on the save defers such a field, or sets its value where an UPDATE returns
        it. No field that was written is deferred otherwise.
        """
        now, known = self.__dict__, before.values if before else {}
        attnames = [
            name
            for field in self._meta.concrete_fields
            if (names is None or field.name in names or field.attname in names)
            and (is_expression(now[name]) if (name := field.attname) in now else name in known)
            and _is_told(field)
        ]
        return self._select(using, attnames)

    def _select(self, using: str | None, attnames: Sequence[str]) -> dict[str, Any]:
        if not attnames:
            return {}
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        return rows.values(*attnames).first() or {}

    def __getstate__(self) -> dict[str, Any]:
        # A copy or a pickle leaves the transaction behind: it takes what stands now.
        row = self._standing_row()
        copied = row and Row(row.pk, dict(row.values))
        return {**super().__getstate__(), "_row": copied, "_save": None, "_locked": None}


def _is_told(field: Any) -> bool:
    """Return False for a field whose value is no change of its own: the key, a counter."""
    return not (field.primary_key or field.generated or isinstance(field, CounterField))


def adopt(model: type[models.Model]) -> None:
    """Give a third-party model, such as ``auth.User``, the mixin; call it in ``ready()``.

    A proxy gets it from its model, which is what the rows are loaded as elsewhere.
    """
    concrete: Any = model._meta.concrete_model
    if not issubclass(concrete, AuditableMixin):
        concrete.__bases__ = (AuditableMixin, *concrete.__bases__)
