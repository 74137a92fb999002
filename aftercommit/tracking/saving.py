"""The changes that a save makes, known from what the instance was loaded as."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import models, router, transaction
from django.db.models import NOT_PROVIDED

from aftercommit.tracking.loaded import LoadedMixin
from aftercommit.tracking.stored_row import (
    StoredRow,
    TransactionMarker,
    is_comparable,
    is_expression,
    is_own_change,
)

Changes = dict[str, tuple[Any, Any]]
"""The old and the new value of each field that changed, by the field's name."""


class _Save(NamedTuple):
    """A save that has written its row, and is sending its signals."""

    before: StoredRow | None
    changes: Changes


class SavedChangesMixin(LoadedMixin):
    """A model whose instances know what a save changes, while its signals are sent."""

    _current_save: _Save | None = None

    def original(self, name: str) -> Any:
        """Return field ``name``'s value before the save. None for a new row or a deferred field."""
        row = self._current_save.before if self._current_save else self._stored_row()
        field: Any = self._meta.get_field(name)
        return row.values.get(field.attname) if row else None

    def changes(self) -> Changes:
        """Return the fields that this save changes, as ``{name: (old, new)}``. Empty for a new row.

        Valid until the save's signals have run. A foreign key counts by its raw value.
        """
        if self._current_save:
            return self._current_save.changes
        return self._compare(self._stored_row(), self._values())

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        # A receiver can save the instance again: the outer save's changes come back after it.
        outer, self._current_save = self._current_save, None
        try:
            with transaction.atomic(using=using, savepoint=False):
                super().save_base(*args, **kwargs)
        finally:
            self._current_save = outer

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
            return updated  # the table of a parent, before the model's own
        before = self._stored_row() if updated else None
        written = {**self._values(names), **self._select_computed(using, names, before)}
        if not raw:
            self._current_save = _Save(before, self._compare(before, written))
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
        if not known or not self._lock_and_learn(using, [field.attname for field, _, _ in values]):
            return updated
        return update(rows, using, pk, values, *args, **kwargs)

    def _known_conditions(self, using: str, fields: Sequence[Any]) -> models.Q:
        """Return the condition that the row has the values of ``fields`` that are known."""
        row = self._stored_row()
        known = row.values if row else {}
        conditions = models.Q()
        for field in fields:
            if field.attname in known and is_comparable(field, using):
                value = known[field.attname]
                lookup = f"{field.attname}__isnull" if value is None else field.attname
                conditions &= models.Q((lookup, True if value is None else value))
        return conditions

    def _compare(self, row: StoredRow | None, new: dict[str, Any]) -> Changes:
        """Return the fields whose new value differs from the row's."""
        known = row.values if row else {}
        return {
            field.name: (known[field.attname], new[field.attname])
            for field in self._meta.concrete_fields
            if field.attname in known
            and field.attname in new
            and known[field.attname] != new[field.attname]
            and is_own_change(field)
        }

    def _mark_written(
        self, using: str | None, before: StoredRow | None, written: dict[str, Any]
    ) -> None:
        """Know the written values from now on, unless their transaction rolls back."""
        values = {**(before.values if before else {}), **written}
        self._stored = StoredRow(self.pk, values, before)
        transaction.on_commit(TransactionMarker(self._stored), using=using)

    def _is_inserted(self, force_update: bool) -> bool:
        """Return True if Django inserts the row without trying an UPDATE first."""
        # Django 5.1 knows keys of one field only.
        fields = getattr(self._meta, "pk_fields", [self._meta.pk])
        is_set = getattr(self, "_is_pk_set", lambda: self.pk is not None)
        defaults = all(f.has_default() or f.db_default is not NOT_PROVIDED for f in fields)
        is_new = self._state.adding and defaults and not force_update
        return is_new or not is_set()

    def _load_unknown(self, using: str | None, names: frozenset[str] | None) -> None:
        """Read the old values of what is about to be overwritten without having been loaded."""
        row = self._stored_row()
        known = row.values if row else {}
        fields = [field for field in self._loaded_fields(names) if is_own_change(field)]
        unknown = [field.attname for field in fields if field.attname not in known]
        if values := self._select(using, unknown):
            self._learn(values)

    def _select_computed(
        self, using: str | None, names: frozenset[str] | None, before: StoredRow | None
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
            and is_own_change(field)
        ]
        return self._select(using, attnames)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_current_save": None}
