"""What the contenders are that audit: operations on an item of theirs, and where their log is."""

import itertools
from typing import Any

from benchmarks.contender import Contender

LENGTHS = {"title": 40, "text": 500}
"""How many characters each field of an item has."""


class Auditing(Contender):
    """A contender whose last app has an ``Item`` that is audited.

    Each operation is one transaction, of items that were loaded beforehand.
    """

    audits = True

    log = ""
    """The table that has a row for each entry, if there is a log."""

    def set_up(self) -> None:
        """No items yet."""
        self.items: list[Any] = []
        self.numbers = itertools.count()

    @property
    def model(self) -> Any:
        """The audited model."""
        from django.apps import apps

        return apps.get_model(self.apps[-1].rpartition(".")[2], "Item")

    def make_tables(self) -> None:
        """The tables of the app, which has no migrations."""
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)

    def stock(self, rows: int) -> None:
        """Have so many items, loaded, and an empty log."""
        from django.db import connection

        self.model.objects.bulk_create(self._build() for _ in range(rows))
        self.items = list(self.model.objects.order_by("-pk")[:rows])
        self.empty_log()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")

    def left(self, kind: str) -> int:
        """How many entries are yet to be written."""
        return 0

    def empty_log(self) -> None:
        """Delete all entries."""
        if not self.log:
            return
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f'TRUNCATE "{self.log}" CASCADE')

    def create(self, rows: int = 1) -> None:
        """Insert items."""
        from django.db import transaction

        with transaction.atomic():
            for _ in range(rows):
                self._build().save()

    def update(self, field: str, rows: int = 1) -> None:
        """Save items of which one field has changed."""
        from django.db import transaction

        with transaction.atomic():
            for _ in range(rows):
                number = next(self.numbers)
                item = self.items[number % len(self.items)]
                setattr(item, field, _text(field, number))
                item.save()

    def delete(self, rows: int = 1) -> None:
        """Delete items."""
        from django.db import transaction

        with transaction.atomic():
            for _ in range(rows):
                self.items.pop().delete()

    def _build(self) -> Any:
        number = next(self.numbers)
        return self.model(title=_text("title", number), text=_text("text", number))


def _text(field: str, number: int) -> str:
    return f"{number:<12}".ljust(LENGTHS[field], "x")
