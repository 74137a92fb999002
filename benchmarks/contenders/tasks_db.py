"""django-tasks-db: Django's tasks, in a table that its workers poll."""

import sys
from typing import TYPE_CHECKING, Any

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """``enqueue`` of Django's tasks."""

    label = "django-tasks-db"
    durable = True
    differs = "polls (every second); keeps each finished task; nothing retries"
    apps = ("django_tasks", "django_tasks_db")
    settings = {"TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}}

    def set_up(self) -> None:
        """The shop's tasks."""
        from benchmarks.shop import django_tasks

        self.tasks = django_tasks

    def add_effects(self, item: "Item", effects: int) -> None:
        """One row an effect."""
        for task in self.tasks.effects[:effects]:
            task.enqueue(item_id=item.pk, title=item.title)

    def add(self, kind: str, number: int) -> None:
        """One row."""
        self.tasks.kinds[kind].enqueue(item_id=number)

    def enqueue(self, kind: str, count: int) -> None:
        """One row by ``enqueue``, and copies of it."""
        from uuid import uuid4

        from django.db import transaction

        from benchmarks.backlog import add_copies, chunks

        def change(row: Any, number: int) -> None:
            row.pk, row.args_kwargs = uuid4(), {"args": [], "kwargs": {"item_id": number}}

        for numbers in chunks(count):
            with transaction.atomic():
                first = self.tasks.kinds[kind].enqueue(item_id=numbers[0]).db_result
                add_copies(first, numbers[1:], change)

    def left(self, kind: str) -> int:
        """The rows of the kind's task that have not ended."""
        from django_tasks_db.models import DBTaskResult

        rows = DBTaskResult.objects.filter(task_path=self.tasks.kinds[kind].module_path)
        return rows.filter(status__in=["READY", "RUNNING"]).count()

    def clear(self) -> None:
        """No rows."""
        from django_tasks_db.models import DBTaskResult

        from benchmarks.backlog import truncate

        truncate(DBTaskResult)

    def workers(self, processes: int) -> list[list[str]]:
        """So many workers."""
        return [[sys.executable, "-m", "django", "db_worker", "--verbosity", "0"]] * processes
