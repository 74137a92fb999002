"""A project as somebody has it who has not heard of the library, in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.package import clean_environment, run
from tests.integration.program import Program, running

# https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html
CELERY = """
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""

INIT = """
from .celery import app as celery_app

__all__ = ("celery_app",)
"""

MODELS = """
from django.db import models


class Order(models.Model):
    pass


class Receipt(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
"""

TASKS = """
from celery import shared_task

from core.models import Receipt


@shared_task
def write_receipt(order_id):
    Receipt.objects.create(order_id=order_id)


@shared_task
def never_called():
    pass
"""

ORDER = """
from django.db import transaction

from core.models import Order
from core.tasks import write_receipt

with transaction.atomic():
    write_receipt.delay_on_commit(Order.objects.create().pk)
"""

SETTINGS = """
INSTALLED_APPS += ["core"]
DATABASES = {{"default": {database!r}}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
CELERY_BROKER_URL = {broker!r}
"""


class Project:
    """A project with an app called ``core`` and a task, in a folder."""

    def __init__(self, folder: Path, python: Path, database: dict[str, Any], broker: str) -> None:
        self.folder, self.python = folder, python
        run(python, "-m", "django", "startproject", "shop", ".", cwd=folder)
        self.manage("startapp", "core")
        self.write("shop/celery.py", CELERY)
        self.write("shop/__init__.py", INIT)
        self.write("core/models.py", MODELS)
        self.write("core/tasks.py", TASKS)
        settings = (folder / "shop/settings.py").read_text()
        added = SETTINGS.format(database=database, broker=broker)
        self.write("shop/settings.py", settings + added)

    def write(self, name: str, text: str) -> None:
        """Write the file."""
        (self.folder / name).write_text(text.lstrip())

    def change(self, name: str, old: str, new: str) -> None:
        """Change one line of the file."""
        text = (self.folder / name).read_text()
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py``, and return what it wrote."""
        return run(self.python, "manage.py", *arguments, cwd=self.folder)

    def migrate(self) -> None:
        """Write the app's migration, and make all tables."""
        self.manage("makemigrations", "core")
        self.manage("migrate")

    def order(self) -> None:
        """Do what a request does: change something, and call the task durably."""
        self.manage("shell", "-c", ORDER)

    def count(self, model: str) -> int:
        """Return the number of rows of ``app.Model``."""
        count = f"apps.get_model({model!r}).objects.count()"
        code = f"from django.apps import apps; print('count:', {count})"
        return int(self.manage("shell", "-c", code).rpartition("count:")[2])

    @contextmanager
    def worker(self) -> Iterator[Program]:
        """Have a worker run in the block."""
        command = ["-m", "celery", "-A", "shop", "worker", "--concurrency=1", "--loglevel=INFO"]
        worker = running([self.python, *command], self.folder, clean_environment(), "worker.log")
        with worker as program:
            program.wait_to_say(" ready.")
            yield program
