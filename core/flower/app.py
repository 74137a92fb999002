"""The Celery application that Flower is started with: ``celery -A core.flower.app flower``.

It has no tasks and no settings of Django. Flower asks the workers for everything.
"""

import os

from celery import Celery

from core.rabbitmq_login import RabbitMQLogin
from core.redis_login import RedisLogin

_rabbitmq = RabbitMQLogin.read(os.environ)
_login = _rabbitmq or RedisLogin.read(os.environ, RedisLogin("redis://127.0.0.1:6379/0"))

# Not the workers' own: Flower gives no message back, and may touch none of theirs.
OF_REDIS = {
    "unacked_key": "flower.unacked",
    "unacked_index_key": "flower.unacked_index",
    "unacked_mutex_key": "flower.unacked_mutex",
}

# Not the current one: whoever imports it beside the site's app goes on with that.
app = Celery("flower", broker=_login.url, fixups=[], set_as_current=False)
app.conf.update(
    broker_user=_login.username or None,
    broker_password=_login.password or None,
    broker_transport_options={} if _rabbitmq else OF_REDIS,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    accept_content=["json"],
)
