"""What the site shows of its settings: on an error page, in a mail to administrators, by Celery."""

import os
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.views.debug import SafeExceptionReporterFilter

from celery_app import app


@pytest.fixture
def passwords() -> list[str]:
    """Return the passwords that this process has."""
    broker = urlsplit(os.environ["REDIS_URL"]).password or ""
    assert broker
    database = str(settings.DATABASES["default"]["PASSWORD"])
    return [each for each in (broker, database, settings.SECRET_KEY) if each]


def test_error_page(passwords: list[str]) -> None:
    """Django hides settings by their names. Those with the password of Redis have such names."""
    shown = repr(SafeExceptionReporterFilter().get_safe_settings())
    assert "CELERY_BROKER_URL" in shown
    assert not [each for each in passwords if each in shown]


def test_celery(passwords: list[str]) -> None:
    """``inspect conf``, ``inspect report``, ``report`` and Flower show this."""
    shown = f"{app.conf.table(with_defaults=True)} {app.bugreport()}"
    assert not [each for each in passwords if each in shown]


def test_no_url_has_a_password(passwords: list[str]) -> None:
    """So nothing that shows settings, and knows of no names, shows the password of Redis."""
    urls = [settings.REDIS_URL, app.conf.broker_url]
    urls += [str(each["LOCATION"]) for each in settings.CACHES.values()]
    assert not [url for url in urls if "@" in url]
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)  # it has the password all the same
