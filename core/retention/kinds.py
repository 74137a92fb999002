"""The kinds of rows that expire. Each app registers its own, as it does its health checks.

A kind of ours is registered by a module ``retention.py`` that the app's ``ready()`` imports::

    register_kind(Kind("audit", AuditLog, "timestamp"))

``RETENTION_DAYS`` says for each kind after how many days its rows end.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models, router
from django.db.models import QuerySet
from django.db.models.functions import Now

from core.retention.days import days_of

Rows = QuerySet[Any]


def every(rows: Rows) -> Rows:
    """Return the rows: each of them can expire."""
    return rows


def delete(rows: Rows) -> None:
    """Delete the rows."""
    rows.delete()


@dataclass(frozen=True)
class Kind:
    """Rows of one model that end some days after the time in one of their fields."""

    name: str
    """The kind's key in ``RETENTION_DAYS``."""

    model: type[models.Model]

    field: str
    """The time from which the days count. Expired rows are found by an index of it."""

    settled: Callable[[Rows], Rows] = every
    """Return those of the rows that can expire at all: nothing waits for them."""

    end: Callable[[Rows], object] = delete
    """End the rows. They are locked, and this is in their transaction."""

    size: int = 1000
    """The number of rows that one transaction ends."""

    @property
    def using(self) -> str:
        """Return the database of the rows."""
        return router.db_for_write(self.model)

    def expired(self, slack: timedelta = timedelta(0)) -> Rows:
        """Return the rows whose days have been over for ``slack``, the oldest first."""
        rows: Rows = self.model._base_manager.using(self.using)
        days = days_of(self.name)
        if days is None:
            return rows.none()
        over = {f"{self.field}__lte": Now() - timedelta(days=days) - slack}
        return self.settled(rows.filter(**over)).order_by(self.field)


_kinds: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    """Have rows of this kind expire. Raises ValueError if another kind has the name."""
    if kind.name in _kinds:
        raise ValueError(f"There is a kind {kind.name!r} already. Choose another name.")
    _kinds[kind.name] = kind


def kinds() -> Mapping[str, Kind]:
    """Return every kind by its name."""
    return _kinds
