"""RabbitMQ as the broker: its address, and the login apart from it."""

import os
import subprocess
import sys
from typing import Any

import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured

from core.rabbitmq_login import RabbitMQLogin
from tests.unit.core.test_redis_login import PASSWORDS
from tests.unit.core.test_settings import GOOD, ROOT


def read(**environ: str) -> RabbitMQLogin | None:
    """Return the login that these variables give."""
    return RabbitMQLogin.read(environ)


def test_nothing_given() -> None:
    """Redis is the broker then."""
    assert read() is None
    assert read(RABBITMQ_URL="", RABBITMQ_PASSWORD="") is None


def test_the_password_leaves_the_url() -> None:
    """What stands in a URL is shown by accident: in settings, logs and error pages."""
    assert read(RABBITMQ_URL="amqps://me:w%23rd@h:1/shop") == ("amqps://h:1/shop", "me", "w#rd")
    assert read(RABBITMQ_URL="amqp://me@h:1//") == ("amqp://h:1//", "me", "")


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password(password: str) -> None:
    """Apart from the URL nothing in it has a meaning. Celery hands it to the client as it is."""
    login = read(RABBITMQ_URL="amqp://me@h:5672//", RABBITMQ_PASSWORD=password)
    assert login == ("amqp://h:5672//", "me", password)
    app = Celery("test", broker=login.url, set_as_current=False)
    app.conf.update(broker_user=login.username, broker_password=login.password)
    with app.connection_for_write() as connection:
        found = (connection.userid, connection.password, connection.virtual_host)
    assert found == ("me", password, "/")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"RABBITMQ_URL": "redis://h:hidden@h"}, "RABBITMQ_URL can't be read. Expected amqp://"),
        ({"RABBITMQ_URL": "amqp://me:hidden@h:port"}, "RABBITMQ_URL can't be read. Expected amqp"),
        ({"RABBITMQ_URL": "amqp://me:hidden/x@h"}, "RABBITMQ_URL can't be read. Expected amqp"),
        ({"RABBITMQ_PASSWORD": "hidden"}, "RABBITMQ_PASSWORD is set, and RABBITMQ_URL is not."),
        (
            {"RABBITMQ_URL": "amqp://me:hidden@h", "RABBITMQ_PASSWORD": "hidden"},
            "RABBITMQ_URL has a password, and RABBITMQ_PASSWORD gives one too.",
        ),
    ],
)
def test_fail(environ: dict[str, str], sentence: str) -> None:
    """The sentence says what to do, and has nothing of the URL."""
    with pytest.raises(ImproperlyConfigured) as raised:
        read(**environ)
    assert str(raised.value).startswith(sentence)
    assert "hidden" not in f"{raised.value!r} {raised.value.__cause__!r}"


SETTINGS = """
from django.conf import settings as s
print(s.CELERY_BROKER_URL, s.CELERY_BROKER_USER, s.CELERY_BROKER_PASSWORD)
print(*(each["BACKEND"].rpartition(".")[2] for each in s.CACHES.values()))
print(getattr(s, "CELERY_TASK_DEFAULT_QUEUE_TYPE", "classic"))
"""


def settings_of(**variables: str) -> list[str]:
    """Return what a new process with these variables has as its broker, caches and queues."""
    bare = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "core.settings"}
    given: dict[str, Any] = {**bare, "SECRET_KEY": GOOD, **variables}
    command = [sys.executable, "-c", SETTINGS]
    return subprocess.run(
        command, cwd=ROOT, env=given, capture_output=True, text=True, check=True
    ).stdout.splitlines()


GIVEN = {"RABBITMQ_URL": "amqp://me@h:5672//", "RABBITMQ_PASSWORD": "word"}
BROKER = "amqp://h:5672// me word"


def test_instead_of_redis() -> None:
    """Nobody asks a Redis then."""
    assert settings_of(**GIVEN) == [BROKER, "LocMemCache LocMemCache", "quorum"]


@pytest.mark.slow
def test_beside_redis() -> None:
    """Caches are in the Redis that is named, and messages are not."""
    found = settings_of(**GIVEN, REDIS_URL="redis://h:1/0")
    assert found == [BROKER, "RedisCache RedisCache", "quorum"]
