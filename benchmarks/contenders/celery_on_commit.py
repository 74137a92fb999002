"""Celery's own ``delay_on_commit``: a message an effect, sent after the commit."""

import sys
from typing import TYPE_CHECKING

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """``delay_on_commit`` of Celery's DjangoTask."""

    label = "Celery on_commit"
    settings = {"CELERY_IMPORTS": ["benchmarks.shop.celery_tasks"]}

    def set_up(self) -> None:
        """A plain Celery application, with the shop's tasks."""
        from benchmarks import celery_plain  # noqa: F401
        from benchmarks.shop import celery_tasks

        self.tasks = celery_tasks

    def add_effects(self, item: "Item", effects: int) -> None:
        """One message an effect."""
        for task in self.tasks.effects[:effects]:
            task.delay_on_commit(item_id=item.pk, title=item.title)

    def add(self, kind: str, number: int) -> None:
        """One message."""
        self.tasks.kinds[kind].delay_on_commit(item_id=number)

    def left(self, kind: str) -> int:
        """The messages of the queue and those that a worker holds, of any kind."""
        import redis
        from django.conf import settings

        with redis.Redis.from_url(settings.REDIS_URL) as client:
            return int(client.llen("celery")) + int(client.hlen("unacked"))

    def clear(self) -> None:
        """No messages."""
        from django.core.cache import cache

        cache.clear()  # FLUSHDB

    def workers(self, processes: int) -> list[list[str]]:
        """One Celery worker."""
        return [
            [
                *(sys.executable, "-m", "celery", "--quiet", "-A", "benchmarks.celery_plain"),
                *("worker", "--concurrency", str(processes), "--loglevel", "ERROR"),
            ]
        ]
