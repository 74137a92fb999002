"""Other people's ENGINEs with the commit hook, from PyPI, each in a project."""

from pathlib import Path

import pytest

from tests.integration.recipes.recipe import Make, Recipe
from tests.integration.recipes.shell import Command

TASK = """
from celery import shared_task

from shop.models import Order, Receipt


@shared_task
def write_receipt(order_id):
    Receipt.objects.create(order_id=order_id)
"""

SETTINGS = """
from aftercommit.db import combine

DATABASES["default"]["ENGINE"] = combine({engine!r})
POSTGRES_EXTRA_AUTO_EXTENSION_SET_UP = False
"""

ORDER = """
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from aftercommit.models import OutboxCall
from shop.tasks import write_receipt

with CaptureQueriesContext(connection) as queries, transaction.atomic():
    order = Order.objects.create()
    write_receipt.delay_on_commit(order.pk)
    write_receipt.delay_on_commit(order.pk)
statements = [query["sql"].replace('"', "").replace("`", "") for query in queries]
statements = [words[2] if (words := sql.split())[0] == "INSERT" else words[0] for sql in statements]
"""

ROLL_BACK = """
with transaction.atomic():
    sid = transaction.savepoint()
    write_receipt.delay_on_commit(Order.objects.create().pk)
    transaction.savepoint_rollback(sid)
with transaction.atomic():
    write_receipt.delay_on_commit(Order.objects.create().pk)
    transaction.set_rollback(True)
"""

TESTS = """
from django.test import TransactionTestCase

from aftercommit.models import OutboxCall
from shop.models import Order
from shop.tasks import write_receipt


class CallTest(TransactionTestCase):
    def test_stored(self):
        write_receipt.delay_on_commit(Order.objects.create().pk)
        self.assertEqual(OutboxCall.objects.count(), 1)
"""

EXPECTED = ["BEGIN", "shop_order", "aftercommit_outboxcall", "COMMIT"]

STUB = """
# Enough of two libraries in C for the import of the backend. No test here uses geometry.
import ctypes


class Anything:
    def __call__(self, *args):
        return b"3.6.2"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __getitem__(self, name):
        return Anything()


load = ctypes.CDLL
stubs = GDAL_LIBRARY_PATH, GEOS_LIBRARY_PATH = ("stub of GDAL", "stub of GEOS")
ctypes.CDLL = lambda name, *args, **kw: Anything() if name in stubs else load(name, *args, **kw)
"""

USE_POSTGIS = """
from aftercommit.db import combine
from django.db import connections
from django.db.utils import load_backend

engine = combine("django.contrib.gis.db.backends.postgis")
config = {**connections["default"].settings_dict, "ENGINE": engine}
connections["default"].close()
connections["default"] = load_backend(engine).DatabaseWrapper(config, "default")
"""


def check_outbox(made: Recipe) -> None:
    """Have calls made, dropped and drained, and use what else a backend is asked for."""
    made.python(ORDER)
    assert made.value("statements") == EXPECTED
    made.python(ROLL_BACK)
    assert made.value("OutboxCall.objects.count()") == 2
    made.manage("outbox drain")
    assert made.value("[Order.objects.count(), Receipt.objects.count()]") == [1, 2]
    assert made.value("type(connection.copy()) is type(connections['default'])")
    assert "class ShopOrder(" in made.manage("inspectdb shop_order")
    assert "No changes" in made.manage("makemigrations aftercommit --check --dry-run")


def check_test_database(made: Recipe) -> None:
    """Have Django's own command make a test database, and a test of the project pass in it."""
    made.write({"shop/tests.py": TESTS})
    words = ("python", "manage.py", "test", "shop", "--noinput")
    assert "Found 1 test" in made.run(Command(" ".join(words), words))


def make(recipe: Make, engine: str, engines: Path) -> Recipe:
    """Return a project with this ENGINE."""
    made = recipe(packages=[engines])
    settings = SETTINGS.format(engine=engine)
    made.write({"mysite/settings.py": settings, "shop/tasks.py": TASK})
    return made


@pytest.mark.slow
@pytest.mark.every_database
def test_prometheus(recipe: Make, engines: Path) -> None:
    """django-prometheus counts the statements of its own cursors, the INSERT of the calls too."""
    vendor = recipe().around.vendor
    made = make(recipe, f"django_prometheus.db.backends.{vendor}", engines)
    check_outbox(made)
    check_test_database(made)
    made.python("from prometheus_client import REGISTRY")
    made.python("labels = {'alias': 'default', 'vendor': connection.vendor}")
    total = "REGISTRY.get_sample_value('django_db_execute_total', labels)"
    before = made.value(total)
    made.python("with transaction.atomic(): write_receipt.delay_on_commit(order.pk)")
    assert made.value(total) - before >= 1
    assert made.value("REGISTRY.get_sample_value('django_db_new_connections_total', labels)") >= 1


@pytest.mark.slow
@pytest.mark.only_on("postgres", reason="psqlextra is for PostgreSQL.")
def test_psqlextra(recipe: Make, engines: Path) -> None:
    """psqlextra has its own operations, schema editor, introspection, and its upserts."""
    made = make(recipe, "psqlextra.backend", engines)
    check_outbox(made)
    check_test_database(made)
    for part in ("ops", "introspection", "schema_editor()"):
        assert made.value(f"type(connection.{part}).__module__").startswith("psqlextra.backend.")
    made.python(
        "from psqlextra.query import ConflictAction, PostgresQuerySet\n"
        "with transaction.atomic():\n"
        "    orders = PostgresQuerySet(Order).on_conflict(['id'], ConflictAction.UPDATE)\n"
        "    orders.insert(id=order.pk, customer='grace@example.com', total=1)\n"
        "    write_receipt.delay_on_commit(order.pk)\n"
    )
    assert made.value("Order.objects.get().customer") == "grace@example.com"
    assert made.value("OutboxCall.objects.count()") == 1


@pytest.mark.slow
@pytest.mark.only_on("postgres", reason="PostGIS is for PostgreSQL.")
def test_postgis(recipe: Make) -> None:
    """PostGIS has its own operations, schema editor and introspection."""
    made = recipe()
    made.write({"mysite/settings.py": STUB, "shop/tasks.py": TASK})
    made.python(USE_POSTGIS)
    check_outbox(made)
    gis = "django.contrib.gis.db.backends.postgis."
    for part in ("ops", "features", "introspection", "schema_editor()"):
        assert made.value(f"type(connection.{part}).__module__").startswith(gis)


@pytest.mark.slow
@pytest.mark.only_on("postgres", reason="psqlextra is for PostgreSQL.")
def test_check(recipe: Make, engines: Path) -> None:
    """Without ``combine`` the check says what to write."""
    made = recipe(packages=[engines])
    line = 'DATABASES["default"]["ENGINE"] = "psqlextra.backend"'
    made.write({"mysite/settings.py": f"{line}\nPOSTGRES_EXTRA_AUTO_EXTENSION_SET_UP = False\n"})
    said = made.fail("manage", ["check", "--tag", "aftercommit"])
    assert 'Write "ENGINE": combine("psqlextra.backend") for this database' in said
