"""A project whose broker is RabbitMQ needs no package for Redis."""

import os
import subprocess
import sys

import pytest

PROJECT = """
import sys

sys.modules["redis"] = None  # as if it were not installed

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "aftercommit"],
    DATABASES={"default": {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:"}},
    SECRET_KEY="a" * 60,
)

from celery import Celery

app = Celery("shop", task_cls="aftercommit.OutboxTask", broker=sys.argv[1])
app.set_default()
django.setup()
call_command("check", deploy=True)
call_command("migrate", verbosity=0)


@app.task
def note():
    print("noted")


note.delay_on_commit()
call_command("outbox", "drain")
"""


@pytest.mark.parametrize("broker", ["memory://", "redis://localhost:1"])
def test_works(broker: str) -> None:
    """It is set up, checked, and its calls are stored and run, whatever the broker's address is."""
    environment = {key: text for key, text in os.environ.items() if not key.startswith("DJANGO")}
    done = subprocess.run(
        [sys.executable, "-c", PROJECT, broker],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "noted" in done.stdout, done.stdout
