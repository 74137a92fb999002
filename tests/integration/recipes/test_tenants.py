"""The calls of tenants with schemas of their own, beyond ``docs/how-to/tenants.md``."""

from collections.abc import Iterator

import pytest

from core.stack.redis_server import RedisServer
from tests.integration.recipes.recipe import Make, Recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.only_on("postgres", reason="Its schemas are PostgreSQL's."),
]

MORE_TASKS = """

@shared_task(atomic=False)
def write_receipt_outside(order_id):
    Receipt.objects.create(order=Order.objects.get(pk=order_id))


@shared_task(max_retries=0)
def write_receipt_and_fail(order_id):
    Receipt.objects.create(order=Order.objects.get(pk=order_id))
    Receipt.objects.create(order_id=order_id, id=Receipt.objects.first().pk)
"""

SET_UP = """
from customers.models import Customer
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context
from aftercommit.models import OutboxCall
from shop import tasks

SCHEMAS = ["acme", "globex"]
call_command("makemigrations", "shop", verbosity=0)
for schema in SCHEMAS:
    Customer.objects.create(schema_name=schema, name=schema)


def order(schema, task):
    with schema_context(schema), transaction.atomic():
        task.delay_on_commit(Order.objects.create(customer=schema).pk)


def receipts():
    found = []
    for schema in SCHEMAS:
        with schema_context(schema):
            found.append([receipt.order.customer for receipt in Receipt.objects.all()])
    return found
"""


@pytest.fixture
def made(recipe: Make, redis: RedisServer) -> Iterator[Recipe]:
    """Return the page's project, with two tenants."""
    made = recipe("how-to/tenants.md", redis=redis)
    made.write({"shop/tasks.py": MORE_TASKS})
    made.python(SET_UP)
    yield made
    made.restart()


def test_worker(made: Recipe) -> None:
    """One worker drains the calls of all tenants, each in its schema, outside effects too."""
    made.python(
        "for task in (tasks.write_receipt, tasks.write_receipt_outside):\n"
        "    for schema in SCHEMAS:\n"
        "        order(schema, task)\n"
    )
    assert made.value("OutboxCall.objects.count()") == 4
    with made.worker():
        made.wait_until("receipts() == [['acme'] * 2, ['globex'] * 2]")
        made.wait_until_idle()


def test_call_that_fails(made: Recipe) -> None:
    """What a failing call did is undone in its schema, and the other tenants' calls run."""
    made.python(
        "for schema in ('acme', 'globex', 'acme'):\n"
        "    order(schema, tasks.write_receipt)\n"
        "order('acme', tasks.write_receipt_and_fail)\n"
    )
    assert "dead letters: 1" in made.fail("manage", ["outbox", "drain"])
    assert made.value("receipts()") == [["acme", "acme"], ["globex"]]
    (dead,) = made.value("list(OutboxCall.objects.values_list('task', 'status'))")
    assert dead == ["shop.tasks.write_receipt_and_fail", "dead"]


def test_tenant_is_gone(made: Recipe) -> None:
    """The call of a tenant that was deleted fails, and has no effect in the public schema."""
    made.python(
        "order('acme', tasks.write_receipt)\n"
        "Customer.objects.filter(schema_name='acme').delete()\n"
        "OutboxCall.objects.update(attempts=8)\n"
    )
    assert "dead letters: 1" in made.fail("manage", ["outbox", "drain"])
    (error,) = made.value("list(OutboxCall.objects.values_list('error', flat=True))")
    assert "DoesNotExist" in error


def test_request(made: Recipe) -> None:
    """A transaction's calls are one INSERT, into the shared outbox, whatever schema is set."""
    made.python(
        "with CaptureQueriesContext(connection) as queries, transaction.atomic():\n"
        "    for schema in SCHEMAS:\n"
        "        order(schema, tasks.write_receipt)\n"
        "sql = [query['sql'] for query in queries]\n"
    )
    sql = made.value("sql")
    assert [line for line in sql if "aftercommit_outboxcall" in line] == [sql[-2]]
    assert sql[-1] == "COMMIT"
    made.manage("outbox drain")
    assert made.value("receipts()") == [["acme"], ["globex"]]


def test_own_classes(made: Recipe) -> None:
    """The backend of django-tenants keeps its introspection, and looks into one schema."""
    name = "type(connection.introspection).__module__"
    assert made.value(name) == "django_tenants.postgresql_backend.introspection"
    tables = "'shop_order' in connection.introspection.table_names()"
    assert made.value(tables) is False
    made.python("connection.set_schema('acme')")
    assert made.value(tables) is True
