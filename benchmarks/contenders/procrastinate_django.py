"""procrastinate: jobs in PostgreSQL, which its workers listen for."""

import sys
from typing import TYPE_CHECKING

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item

CONCURRENCY = "8"
"""How many jobs a worker runs at once, in threads: more drain no faster."""


class This(Contender):
    """``defer`` of procrastinate's tasks, on Django's connection."""

    label = "procrastinate"
    durable = True
    differs = (
        "8 jobs at once in a worker process; keeps each finished job and a row for each step; "
        "many saves: one batch_defer by code that knows them all, as receivers of a save don't"
    )
    apps = ("procrastinate.contrib.django",)
    settings = {"PROCRASTINATE_IMPORT_PATHS": ["benchmarks.shop.procrastinate_tasks"]}

    def set_up(self) -> None:
        """The shop's tasks."""
        from benchmarks.shop import procrastinate_tasks

        self.tasks = procrastinate_tasks

    def add_effects(self, item: "Item", effects: int) -> None:
        """One job an effect."""
        for task in self.tasks.effects[:effects]:
            task.defer(item_id=item.pk, title=item.title)

    def save_many(self, rows: int) -> None:
        """One transaction: save so many items, then all their jobs by ``batch_defer``."""
        from django.db import transaction

        with transaction.atomic():
            items = [self.next_item() for _ in range(rows)]
            for item in items:
                item.save()
            calls = [{"item_id": item.pk, "title": item.title} for item in items]
            self.tasks.effects[0].batch_defer(*calls)

    def enqueue(self, kind: str, count: int) -> None:
        """Jobs by ``batch_defer``."""
        from benchmarks.backlog import chunks

        for numbers in chunks(count):
            self.tasks.kinds[kind].batch_defer(*({"item_id": number} for number in numbers))

    def left(self, kind: str) -> int:
        """The jobs of the kind's task that have not ended."""
        from procrastinate.contrib.django.models import ProcrastinateJob

        jobs = ProcrastinateJob.objects.filter(task_name=self.tasks.kinds[kind].name)
        return jobs.filter(status__in=["todo", "doing"]).count()

    def clear(self) -> None:
        """No jobs."""
        from procrastinate.contrib.django.models import ProcrastinateJob

        from benchmarks.backlog import truncate

        truncate(ProcrastinateJob)

    def workers(self, processes: int) -> list[list[str]]:
        """So many workers."""
        command = [sys.executable, "-m", "django", "procrastinate", "worker"]
        return [[*command, "--concurrency", CONCURRENCY]] * processes
