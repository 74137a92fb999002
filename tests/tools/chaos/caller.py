"""A writer's operations that call the chaos run's own tasks, in transactions that commit or not."""

import random

from django.db import connection, transaction

from content.models import Product
from tests.tools.chaos import fates, tasks
from tests.tools.chaos.fates import WEIGHTS, Fate
from tests.tools.chaos.ledger import Ledger, Outcome

MOST = 4
"""How many calls one transaction makes."""


class Undone(Exception):
    """Rolls a transaction or a savepoint back."""


class Caller:
    """Calls tasks at random, each with a fate of its own."""

    def __init__(self, chance: random.Random, ledger: Ledger) -> None:
        self._random = chance
        self._ledger = ledger

    def call_some(self, token: str) -> None:
        """Make some calls, alone or beside a change."""
        with transaction.atomic():
            if self._random.random() < 0.5:
                Product.objects.create(name=f"{token} with calls", price="6.00")
            for number in range(self._random.randint(1, MOST)):
                self._call(f"{token} {number}")

    def call_without_transaction(self, token: str) -> None:
        """Make a call that is stored by itself."""
        self._call(token)

    def keep_all_but_a_savepoint(self, token: str) -> None:
        """Make a call, and one that is rolled back with its savepoint."""
        undone = self._ledger.begin()
        with transaction.atomic():
            self._call(f"{token} kept")
            try:
                with transaction.atomic():
                    self._call(f"{undone} undone")
                    raise Undone
            except Undone:
                self._call(f"{token} after")
        self._ledger.end(undone, Outcome.ROLLED_BACK)

    def undo(self, token: str) -> None:
        """Make a call, and roll it back."""
        with transaction.atomic():
            self._call(token)
            raise Undone

    def _call(self, name: str) -> None:
        task = self._random.choice(sorted(fates.FATES))
        getattr(tasks, task).delay_on_commit(name=name, fate=self._fate(task))

    def _fate(self, task: str) -> Fate:
        # SQLite's file stays locked while its writer hangs, and its journals wait for long.
        left_out = {Fate.HANGS} if connection.vendor == "sqlite" else set()
        possible = sorted(fates.FATES[task] - left_out)
        (fate,) = self._random.choices(possible, [WEIGHTS.get(each, 3) for each in possible])
        return fate
