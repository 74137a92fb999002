"""The places that have personal data. Each app registers its own.

A module ``forgetting.py``, which the app's ``ready()`` imports, says what the app has of a person::

    register_place(Rows("follows", ("notifications.follow",), follows_of))

A model that has a user, and that no place names, makes a test fail.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.db import models, router, transaction
from django.db.models import QuerySet

from core.forgetting.context import forgetting
from core.forgetting.person import Person

PIECE = 200
"""The number of rows that one transaction changes."""

PAGE = 2000
"""The number of rows that are looked at together where no query finds those of a person."""

Rows = QuerySet[Any]


class Stage(IntEnum):
    """The order of the places. The log comes before everything, and once more after it."""

    DATA = 1
    CALLS = 2
    LOG = 3


@dataclass(frozen=True)
class Place(ABC):
    """A place that has personal data."""

    name: str
    """The rows, as a table of counts names them: ``"comments"``."""

    models: tuple[str, ...]
    """The labels of the models whose rows of a person are gone afterwards."""

    @abstractmethod
    def count(self, person: Person) -> int:
        """Return how many rows have something of the person."""

    @abstractmethod
    def remove(self, person: Person) -> Iterator[int]:
        """Remove it, and yield the number of rows of each piece. A piece is a transaction."""


def delete(rows: Rows) -> None:
    """Delete the rows."""
    rows.delete()


@dataclass(frozen=True)
class OwnRows(Place):
    """Rows that a query finds."""

    rows: Callable[[Person], Rows]
    end: Callable[[Rows], object] = delete
    """Delete the rows, or change them so that ``rows`` finds them no more."""

    stage: Stage = Stage.DATA

    def count(self, person: Person) -> int:
        """Return how many rows there are."""
        return self.rows(person).count()

    def remove(self, person: Person) -> Iterator[int]:
        """End the rows, some at a time."""
        while piece := list(self._keys(person)[:PIECE]):
            rows = self.rows(person)
            with forgetting(), transaction.atomic(using=rows.db):
                self.end(rows.model._base_manager.using(rows.db).filter(pk__in=piece))
            yield len(piece)

    def _keys(self, person: Person) -> Rows:
        return self.rows(person).order_by("pk").values_list("pk", flat=True)


Cleaner = Callable[[Any], bool]
"""Takes what is personal out of a row, and returns whether there was something."""


@dataclass(frozen=True)
class ReadRows(Place):
    """Rows that have to be read to know whether they have something of a person."""

    model: type[models.Model]
    cleaner: Callable[[Person], Cleaner]
    """Return the function that cleans a row. It sees the rows in the order of their keys."""

    fields: Sequence[str] = ()
    """The fields that the cleaner changes. Without any, a row that had something is deleted."""

    stage: Stage = Stage.DATA

    def count(self, person: Person) -> int:
        """Return how many rows the cleaner would change."""
        clean = self.cleaner(person)
        return sum(clean(row) for page in self._pages() for row in page)

    def remove(self, person: Person) -> Iterator[int]:
        """Clean the rows, or delete them, a page at a time."""
        clean = self.cleaner(person)
        for page in self._pages():
            found = [row.pk for row in page if clean(row)]
            for start in range(0, len(found), PIECE):
                yield self._end(found[start : start + PIECE], clean)

    def _end(self, keys: list[Any], clean: Cleaner) -> int:
        table = self._table()
        with forgetting(), transaction.atomic(using=table.db):
            # As they are now: a worker may have changed or settled what was read.
            rows = table.filter(pk__in=keys).order_by("pk").select_for_update()
            changed = [row for row in rows if clean(row)]
            self._write(table, changed)
        return len(changed)

    def _write(self, table: Rows, changed: list[Any]) -> None:
        if not self.fields:
            table.filter(pk__in=[row.pk for row in changed]).delete()
            return
        for row in changed:  # a CASE for each value, as bulk_update() has, is slow
            table.filter(pk=row.pk).update(**{name: getattr(row, name) for name in self.fields})

    def _pages(self) -> Iterator[list[Any]]:
        rows, last = self._table().order_by("pk"), None
        while page := list((rows if last is None else rows.filter(pk__gt=last))[:PAGE]):
            yield page
            last = page[-1].pk

    def _table(self) -> Rows:
        rows: Rows = self.model._base_manager.using(router.db_for_write(self.model))
        return rows


AnyPlace = OwnRows | ReadRows

_places: dict[str, AnyPlace] = {}


def register_place(place: AnyPlace) -> None:
    """Have this place cleared of people. Raises ValueError if another place has the name."""
    if place.name in _places:
        raise ValueError(f"There is a place {place.name!r} already. Choose another name.")
    _places[place.name] = place


def places(*stages: Stage) -> list[AnyPlace]:
    """Return the places of these stages, or all, in their order."""
    found = [place for place in _places.values() if not stages or place.stage in stages]
    return sorted(found, key=lambda place: place.stage)
