"""Messages that are under way while a project adopts the library."""

import pytest

from core.stack.redis_server import RedisServer
from tests.integration.recipes.recipe import Make

TASKS = """
from celery import shared_task

from shop.models import Receipt


@shared_task(bind=True)
def write_receipt(self, order_id, *, copies=1):
    for _ in range(copies):
        Receipt.objects.create(order_id=order_id)
"""

FILES = {"shop/tasks.py": TASKS, "shop/receivers.py": ""}


@pytest.mark.slow
def test_message_of_before(recipe: Make, redis: RedisServer) -> None:
    """A message that was sent before runs after, beside a durable call of the same task."""
    before = recipe("how-to/adopt.md", redis=redis)
    before.write(FILES, replace=True)
    before.python("from shop.tasks import write_receipt\nwrite_receipt.delay(1, copies=2)")
    after = recipe("how-to/adopt.md", "adopted", redis=redis)
    after.write(FILES, replace=True)
    after.python(
        "from shop.tasks import write_receipt\n"
        "Order.objects.create(pk=1)\n"
        "write_receipt.delay_on_commit(1, copies=3)"
    )
    with after.worker():
        after.wait_until("Receipt.objects.count() == 5")
    assert after.value("__import__('aftercommit.models').models.OutboxCall.objects.count()") == 0
