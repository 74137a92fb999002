"""What a contender is: one way to have effects happen after a save."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a contender is loaded by the settings, before Django is set up
    from benchmarks.shop.models import Item

KINDS = ("noop", "audit", "counter", "mail")
"""The kinds of effects that a backlog is made of."""

ITEMS = 1000
"""How many rows there are to save."""

CHUNK = 1000
"""How many effects of a backlog one transaction makes."""


class Contender:
    """One way to have effects happen after a save, in a process whose settings are its own.

    A subclass says how an effect is asked for (``add_effects`` for those of a save, ``add`` for
    those of a backlog), or overrides the whole operation.
    """

    name = ""
    """The name of its module; ``load`` sets it."""

    label = ""
    """What tables and plots call it."""

    durable = False
    """Whether an effect survives the death of the process and of the broker after the commit."""

    differs = ""
    """How its work differs from that of the others; empty if it doesn't."""

    audits = False
    """Whether it writes an audit log: it then takes part in the measure ``audit`` alone."""

    engine = "django.db.backends.postgresql"
    """The database backend."""

    apps: Sequence[str] = ()
    """What is added to INSTALLED_APPS."""

    settings: Mapping[str, Any] = {}
    """What is added to Django's settings. Read before Django is set up."""

    tasks: Any
    """The module of its tasks, ``effects`` and ``kinds``; ``set_up`` sets it, where it has one."""

    def read_settings(self) -> Mapping[str, Any]:
        """What is added to Django's settings, asked for by them in the contender's process."""
        return self.settings

    def set_up(self) -> None:
        """Import tasks and connect; Django is set up."""

    def add_effects(self, item: "Item", effects: int) -> None:
        """Have this many effects happen, by distinct tasks, if the transaction commits."""
        raise NotImplementedError

    def add(self, kind: str, number: int) -> None:
        """Have effect ``number`` of a backlog of this kind happen if the transaction commits."""
        raise NotImplementedError

    def left(self, kind: str) -> int:
        """How many effects of this kind the queue still holds."""
        raise NotImplementedError

    def clear(self) -> None:
        """Empty the queue."""

    def workers(self, processes: int) -> list[list[str]]:
        """The command lines of the programs with this many worker processes in all."""
        return []

    def save(self, effects: int) -> None:
        """One transaction: save one item, nothing loaded, with so many effects."""
        from django.db import transaction

        item = self.next_item()
        with transaction.atomic():
            self.save_item(item, effects)

    def save_item(self, item: "Item", effects: int) -> None:
        """Within a transaction: save the item, with so many effects."""
        item.save()
        self.add_effects(item, effects)

    def save_many(self, rows: int) -> None:
        """One transaction: save so many items, with one effect each."""
        from django.db import transaction

        with transaction.atomic():
            for _ in range(rows):
                self.save_item(self.next_item(), 1)

    def enqueue(self, kind: str, count: int) -> None:
        """Commit so many effects of a kind, many a transaction."""
        from django.db import transaction

        for start in range(0, count, CHUNK):
            with transaction.atomic():
                for number in range(start, min(start + CHUNK, count)):
                    self.add(kind, number)

    def next_item(self) -> "Item":
        """The next item in turn with a new text, loaded beforehand."""
        item = next(_items())
        item.text = new_text()
        return item


_numbers = itertools.count()


def new_text() -> str:
    """A text for an item, of this process alone: one that is there already would be no change."""
    return f"{os.getpid()} {next(_numbers)}".ljust(500, "x")


@cache
def _items() -> "Iterator[Item]":
    from benchmarks.shop.models import Item

    return itertools.cycle(list(Item.objects.order_by("pk")))


def load(name: str) -> Contender:
    """The contender of this name; Django needn't be set up."""
    this: Contender = import_module(f"benchmarks.contenders.{name}").This()
    this.name = name
    return this


@cache
def active() -> Contender:
    """The contender of this process, set up; Django must be."""
    contender = load(os.environ["BENCH_CONTENDER"])
    contender.set_up()
    return contender
