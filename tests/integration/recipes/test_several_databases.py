"""Several databases, with real workers: each call has its effect once, in its own database."""

import pytest

from core.stack.redis_server import RedisServer
from tests.integration.recipes.recipe import Make, SnippetError

PAGE = "how-to/several-databases.md"

SHIP = """
with transaction.atomic(using="archive"):
    Shipment.objects.create(order_number={number})
"""
ANNOUNCED = "Shipment.objects.filter(is_announced=True).count()"


@pytest.mark.slow
@pytest.mark.every_database
def test_outage_of_the_broker(recipe: Make, redis: RedisServer) -> None:
    """One worker settles the calls of all databases, those of an outage too."""
    made = recipe(PAGE, redis=redis)
    with made.worker() as worker:
        made.python(SHIP.format(number=1))
        made.wait_until(f"{ANNOUNCED} == 1")
        redis.kill()
        worker.wait_to_say("Connection to broker lost")
        made.python(SHIP.format(number=2))
        redis.start()
        made.wait_until(f"{ANNOUNCED} == 2")
        made.wait_until_idle()
        assert worker.lives


@pytest.mark.slow
@pytest.mark.every_database
def test_rollback(recipe: Make) -> None:
    """A call follows its own database's transaction, and no other around it."""
    made = recipe(PAGE)
    made.python(f"""
try:
    with transaction.atomic():
        {SHIP.format(number=1).strip().replace("    Ship", "            Ship")}
        raise OSError
except OSError:
    pass
try:
    with transaction.atomic(using="archive"):
        Shipment.objects.create(order_number=2)
        raise OSError
except OSError:
    pass
""")
    made.manage("outbox drain")
    assert made.value('[*Shipment.objects.values_list("order_number", "is_announced")]') == [
        [1, True]
    ]


@pytest.mark.slow
def test_tables_refused_by_a_router(recipe: Make) -> None:
    """The check names the database before a commit there fails for want of a table."""
    made = recipe(PAGE)
    router = "shop/routers.py"
    made.write({router: "def refuse(self, db, app_label, **hints):\n    return db == 'default'\n"})
    made.write({router: "ArchiveRouter.allow_migrate = refuse\n"})
    said = made.fail("manage", ["check", "--fail-level", "WARNING"])
    assert "Database 'archive' has the commit hook, and DATABASE_ROUTERS keep" in said
    with pytest.raises(SnippetError, match="aftercommit_outboxcall"):
        made.python(
            'from shop.tasks import *; announce_shipment.using("archive").delay_on_commit(1)'
        )
