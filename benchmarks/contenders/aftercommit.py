"""This project's outbox."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """``delay_on_commit`` of the project's base task."""

    label = "Aftercommit"
    durable = True
    engine = "core.db.postgresql"
    apps = ("core",)

    def read_settings(self) -> Mapping[str, Any]:
        """The project's own, but for results and events, which no contender has."""
        from core import settings as project

        names = [name for name in dir(project) if name.startswith(("CACHES", "CELERY_", "OUTBOX_"))]
        return {name: getattr(project, name) for name in names} | {
            "CELERY_IMPORTS": ["benchmarks.shop.outbox_tasks"],
            "CELERY_TASK_IGNORE_RESULT": True,
            "CELERY_RESULT_BACKEND": None,
            "CELERY_WORKER_SEND_TASK_EVENTS": False,
        }

    def set_up(self) -> None:
        """The project's Celery application, with the shop's tasks."""
        import celery_app  # noqa: F401
        from benchmarks.shop import outbox_tasks

        self.tasks = outbox_tasks

    def add_effects(self, item: "Item", effects: int) -> None:
        """One call an effect."""
        for task in self.tasks.effects[:effects]:
            task.delay_on_commit(item_id=item.pk, title=item.title)

    def add(self, kind: str, number: int) -> None:
        """One call."""
        self.tasks.kinds[kind].delay_on_commit(item_id=number)

    def left(self, kind: str) -> int:
        """The rows of the kind's task."""
        from core.models import OutboxCall

        return OutboxCall.objects.filter(task=self.tasks.kinds[kind].name).count()

    def clear(self) -> None:
        """No calls, no wake-ups."""
        from django.core.cache import cache
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE core_outboxcall, core_outboxbatch")
        cache.clear()  # FLUSHDB: the broker's messages too

    def workers(self, processes: int) -> list[list[str]]:
        """One Celery worker."""
        return [
            [
                *(sys.executable, "-m", "celery", "--quiet", "-A", "celery_app", "worker"),
                *("--concurrency", str(processes), "--loglevel", "ERROR"),
            ]
        ]
