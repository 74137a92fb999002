"""django-celery-outbox: a row a message, which a relay sends to Celery's broker."""

import sys
from typing import TYPE_CHECKING, Any

from benchmarks.contender import Contender
from benchmarks.delay_on_commit import worker

if TYPE_CHECKING:
    from benchmarks.shop.models import Item

RELAY_OPTIONS = ("--batch-size", "500", "--idle-time", "0.1")
"""What its documentation recommends for a high volume, and for little latency."""


class This(Contender):
    """``delay`` of tasks whose application is an ``OutboxCelery``."""

    label = "django-celery-outbox"
    durable = True
    differs = "a relay besides each two worker processes, which polls (every 0.1 s)"
    apps = ("django_celery_outbox",)
    settings = {
        "CELERY_IMPORTS": ["benchmarks.shop.celery_tasks"],
        "CELERY_OUTBOX_APP": "benchmarks.celery_outboxed.app",
        "MONITORING_METRICS_ENABLED": False,  # there is no StatsD server that it would tell
    }

    def set_up(self) -> None:
        """Its Celery application, with the shop's tasks."""
        from benchmarks import celery_outboxed  # noqa: F401
        from benchmarks.shop import celery_tasks

        self.tasks = celery_tasks

    def add_effects(self, item: "Item", effects: int) -> None:
        """One row an effect."""
        for task in self.tasks.effects[:effects]:
            task.delay(item_id=item.pk, title=item.title)

    def add(self, kind: str, number: int) -> None:
        """One row."""
        self.tasks.kinds[kind].delay(item_id=number)

    def enqueue(self, kind: str, count: int) -> None:
        """One row by ``delay``, and copies of it."""
        from celery.utils import uuid
        from django.db import transaction
        from django_celery_outbox.models import CeleryOutbox

        from benchmarks.backlog import add_copies, chunks

        def change(row: Any, number: int) -> None:
            row.task_id, row.kwargs = uuid(), {"item_id": number}

        for numbers in chunks(count):
            with transaction.atomic():
                self.add(kind, numbers[0])
                add_copies(CeleryOutbox.objects.latest("pk"), numbers[1:], change)

    def left(self, kind: str) -> int:
        """The rows of the kind's task, and the messages of any kind that are not acknowledged."""
        import redis
        from django.conf import settings
        from django_celery_outbox.models import CeleryOutbox

        rows = CeleryOutbox.objects.filter(task_name=self.tasks.kinds[kind].name).count()
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            return rows + int(client.llen("celery")) + int(client.hlen("unacked"))

    def clear(self) -> None:
        """No rows, no messages."""
        from django.core.cache import cache
        from django_celery_outbox.models import CeleryOutbox, CeleryOutboxDeadLetter

        from benchmarks.backlog import truncate

        truncate(CeleryOutbox, CeleryOutboxDeadLetter)
        cache.clear()  # FLUSHDB

    def workers(self, processes: int) -> list[list[str]]:
        """A relay for each two worker processes, and one Celery worker."""
        relay = [sys.executable, "-m", "django", "celery_outbox_relay", *RELAY_OPTIONS]
        celery = worker("benchmarks.celery_outboxed", processes)
        return [relay] * max(processes // 2, 1) + [celery]
