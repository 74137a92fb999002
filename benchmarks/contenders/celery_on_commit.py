"""Celery's own ``delay_on_commit``: a message an effect, sent after the commit."""

from benchmarks.delay_on_commit import DelayOnCommit


class This(DelayOnCommit):
    """``delay_on_commit`` of Celery's DjangoTask."""

    label = "Celery on_commit"
    app = "benchmarks.celery_plain"
    tasks_module = "benchmarks.shop.celery_tasks"
    settings = {"CELERY_IMPORTS": [tasks_module]}

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
