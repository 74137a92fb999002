"""Operations: changes that a person can have made to rows, after they confirmed them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from aftercommit.worker.rows import lock_rows

CHUNK = 500
"""How many rows one transaction changes."""


def no_warnings(rows: QuerySet[Any]) -> Iterator[str]:
    """Warn of nothing."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A change of a model's rows: its words, the rows that it accepts, and what it does."""

    model: type[models.Model]
    nouns: tuple[str, str]
    """What one row and several rows are called: ``("call", "calls")``."""

    group_by: tuple[str, ...]
    """The fields by which its rows are counted."""

    question: str
    """The text of the question and of its button, with ``{}`` for the rows: ``"Send {} again"``."""

    done: str
    """What was done, as it follows the number of rows: ``"made due again"``."""

    effect: str
    """A sentence about what it does."""

    restriction: str
    """A sentence about the rows that it accepts, and why it accepts no others."""

    accept: Callable[[QuerySet[Any]], QuerySet[Any]]
    """Return the rows that can be changed, of those that are given."""

    change: Callable[[str, Sequence[Any]], None]
    """Change rows of the database ``using``. They are locked, and this is in their transaction."""

    warn: Callable[[QuerySet[Any]], Iterator[str]] = no_warnings
    """Yield sentences about what else a person should know before these rows are changed."""

    def accepted_ids(self, rows: QuerySet[Any], limit: int | None = None) -> list[Any]:
        """Return the primary keys of the rows that can be changed, ``limit`` at most."""
        return list(self.accept(rows).order_by("pk").values_list("pk", flat=True)[:limit])

    def run(self, using: str, ids: Sequence[Any]) -> int:
        """Change the rows that are accepted. Return how many there were.

        A row that somebody else has locked at this moment is left to them. Each ``CHUNK`` of rows
        has a transaction.
        """
        chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
        return sum(self._run_chunk(using, chunk) for chunk in chunks)

    def _run_chunk(self, using: str, ids: Sequence[Any]) -> int:
        given = self.model._base_manager.using(using).filter(pk__in=ids)
        with transaction.atomic(using=using):
            rows = list(lock_rows(self.accept(given).order_by("pk")))
            if rows:
                self.change(using, rows)
        return len(rows)

    def question_about(self, count: int) -> str:
        """Return the question about so many rows, without its mark: ``"Send 3 mails again"``."""
        return self.question.format(f"{count:,} {self.nouns[count != 1]}")

    @property
    def label(self) -> str:
        """Return the text of the button on a row's own page: ``"Send again"``."""
        return " ".join(self.question.format("").split())


def accept_status(*statuses: str) -> Callable[[QuerySet[Any]], QuerySet[Any]]:
    """Return an ``accept`` for rows that have one of the statuses."""
    return lambda rows: rows.filter(status__in=statuses)


def count_groups(rows: QuerySet[Any], fields: Sequence[str]) -> dict[tuple[Any, ...], int]:
    """Return how many rows there are for each combination of the fields' values."""
    groups = rows.order_by(*fields).values_list(*fields).annotate(models.Count("pk"))
    return {tuple(values): count for *values, count in groups}
