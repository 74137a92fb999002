"""The Celery application that Flower is started with: ``celery -A core.flower.app flower``.

It has no tasks and no settings of Django. Flower asks the workers for everything.
"""

import os

from celery import Celery

from core.redis_login import RedisLogin

_redis = RedisLogin.read(os.environ, fallback=RedisLogin("redis://127.0.0.1:6379/0"))

app = Celery("flower", broker=_redis.url, fixups=[])
app.conf.update(
    broker_user=_redis.username or None,
    broker_password=_redis.password or None,
    # Not the workers' own: Flower gives no message back, and may touch none of theirs.
    broker_transport_options={
        "unacked_key": "flower.unacked",
        "unacked_index_key": "flower.unacked_index",
        "unacked_mutex_key": "flower.unacked_mutex",
    },
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    accept_content=["json"],
)
