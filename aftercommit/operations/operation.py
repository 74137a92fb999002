"""Operations: what a person can have done with rows, once asked whether they mean it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from aftercommit.worker.rows import lock_rows

CHUNK = 500
"""How many rows one transaction operates on."""


@dataclass(frozen=True)
class Operation:
    """One thing to do with rows of a model: its words, its rows and its deed."""

    model: type[models.Model]
    nouns: tuple[str, str]
    """What a row and what rows are called: ``("call", "calls")``."""

    question: str
    """What is asked and what a button says, with ``{}`` for the rows: ``"Send {} again"``."""

    done: str
    """What became of rows, after their number: ``"made due again"``."""

    effect: str
    """What it does, in a sentence."""

    only: str
    """Which rows it takes, and why no others, in a sentence."""

    group_by: tuple[str, ...]
    """The fields by which its rows are counted."""

    accept: Callable[[QuerySet[Any]], QuerySet[Any]]
    """Returns those of the rows that it can be done with."""

    step: Callable[[str, Sequence[Any]], None]
    """Does it with rows of database ``using`` that are locked, in their transaction."""

    warn: Callable[[QuerySet[Any]], Iterator[str]]
    """Returns what else a person should know before it is done with these rows, in sentences."""

    def act(self, using: str, ids: Sequence[Any]) -> int:
        """Do it with those of the rows that it accepts; return how many they were.

        It leaves a row to whoever has it locked at this moment. Each ``CHUNK`` has a transaction.
        """
        chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
        return sum(self._act_on(using, chunk) for chunk in chunks)

    def _act_on(self, using: str, ids: Sequence[Any]) -> int:
        given = self.model._base_manager.using(using).filter(pk__in=ids)
        with transaction.atomic(using=using):
            rows = list(lock_rows(self.accept(given).order_by("pk")))
            if rows:
                self.step(using, rows)
        return len(rows)

    def ask(self, count: int) -> str:
        """Return the question about so many rows, without its mark: ``"Send 3 mails again"``."""
        return self.question.format(f"{count:,} {self.nouns[count != 1]}")

    @property
    def label(self) -> str:
        """Return what the button on a row's own page says: ``"Send again"``."""
        return " ".join(self.question.format("").split())


def no_warning(rows: QuerySet[Any]) -> Iterator[str]:
    """Return nothing."""
    return iter(())


def count_groups(rows: QuerySet[Any], fields: Sequence[str]) -> dict[tuple[Any, ...], int]:
    """Return how many rows there are for each combination of the fields' values."""
    groups = rows.order_by(*fields).values_list(*fields).annotate(models.Count("pk"))
    return {tuple(values): count for *values, count in groups}
