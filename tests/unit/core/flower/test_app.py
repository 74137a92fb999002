"""Flower's own Celery app knows the broker, whichever it is."""

import os
import subprocess
import sys

import pytest
from celery import current_app

from celery_app import app as site
from core.flower.app import app
from tests.unit.core.test_settings import ROOT

CODE = """
from core.flower.app import app
with app.connection_for_read() as c:
    print(c.transport_cls, c.userid, c.password, sorted(c.transport_options))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"REDIS_URL": "redis://h:1/0", "REDIS_USERNAME": "flower", "REDIS_PASSWORD": "a#b"},
            "redis flower a#b ['unacked_index_key', 'unacked_key', 'unacked_mutex_key']",
        ),
        (
            {"RABBITMQ_URL": "amqp://flower@h:1//", "RABBITMQ_PASSWORD": "a#b", "REDIS_URL": ""},
            "amqp flower a#b []",
        ),
    ],
    ids=["Redis", "RabbitMQ"],
)
def test_broker(variables: dict[str, str], expected: str) -> None:
    """With Redis it must not touch the workers' own keys. RabbitMQ has none."""
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected


def test_is_not_the_current_one() -> None:
    """A process that has the site's app too makes its calls with that."""
    assert app.main == "flower"
    assert current_app._get_current_object() is site
