"""Fills a database with what all contenders start with: ``python -m benchmarks.shop.fill``."""

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.contender import ITEMS


def fill() -> None:
    """Migrate, and make the items that are saved, the counters that are moved, and a reader."""
    from benchmarks.shop.effects import COUNTERS
    from benchmarks.shop.models import Counter, Item
    from benchmarks.shop.reader import log_in

    call_command("migrate", verbosity=0)
    Item.objects.bulk_create(Item(title="x" * 40, text="x" * 500) for _ in range(ITEMS))
    Counter.objects.bulk_create(Counter() for _ in range(COUNTERS))
    log_in()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    django.setup()
    fill()
