"""A model instance's knowledge of its row: what it was loaded as, and what it has read since."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import models

from aftercommit.tracking.stored_row import StoredRow, mutable_fields, stored_value

if TYPE_CHECKING:
    _Base = models.Model
else:
    _Base = object


class LoadedMixin(_Base):
    """A model whose instances know the values that their row has in the database."""

    _stored: StoredRow | None = None
    _lock_result: bool | None = None

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Any:
        instance = super().from_db(db, field_names, values, **kwargs)
        loaded = dict(zip(field_names, values, strict=False))
        for field in mutable_fields(cls):
            if field.attname in loaded:
                loaded[field.attname] = stored_value(field, loaded[field.attname])
        instance._stored = StoredRow(instance.pk, loaded)
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

    def lock_row(self, using: str | None) -> bool:
        """Lock the row, and learn its values. Return False if it is gone.

        For receivers of ``pre_delete`` and ``post_delete``: Django sends them also for a row that
        another transaction has deleted. A deletion locks the row once, before it deletes.
        """
        if self._lock_result is None:
            names = [field.attname for field in self._meta.concrete_fields]
            self._lock_result = self._lock_and_learn(using, names)
        return self._lock_result

    def _lock_and_learn(self, using: str | None, attnames: Sequence[str]) -> bool:
        """Lock the row, and read these values of it. Return False if it is gone."""
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        values = rows.select_for_update().values(*attnames).first()
        self._learn(values or {})
        return values is not None

    def _learn(self, values: dict[str, Any]) -> None:
        """Add values that were read to those that are known."""
        row = self._stored_row() or StoredRow(self.pk, {})
        row.values = {**row.values, **values}
        self._stored = row

    def _stored_row(self) -> StoredRow | None:
        """Return what is known of the row, without what was rolled back. None for another key."""
        while self._stored is not None and not self._stored.is_valid():
            self._stored = self._stored.before
        return self._stored if self._stored is not None and self._stored.pk == self.pk else None

    def _loaded_fields(self, names: frozenset[str] | None) -> list[Any]:
        """Return all fields that aren't deferred, or those of them that are in ``names``."""
        return [
            field
            for field in self._meta.concrete_fields
            if field.attname in self.__dict__
            and (names is None or field.name in names or field.attname in names)
        ]

    def _values(self, names: frozenset[str] | None = None) -> dict[str, Any]:
        """Return the values of the loaded fields, as the database returns them."""
        fields = self._loaded_fields(names)
        return {
            field.attname: stored_value(field, self.__dict__[field.attname]) for field in fields
        }

    def _select(self, using: str | None, attnames: Sequence[str]) -> dict[str, Any]:
        if not attnames:
            return {}
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        return rows.values(*attnames).first() or {}

    def __getstate__(self) -> dict[str, Any]:
        # A copy or a pickle leaves the transaction behind, and takes the values that hold now.
        row = self._stored_row()
        copied = row and StoredRow(row.pk, dict(row.values))
        return {**super().__getstate__(), "_stored": copied, "_lock_result": None}
