"""Celery's settings as it shows them. ``integration/test_shown_passwords.py`` asks a worker."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.app import utils

from aftercommit.shown_settings import hide_in_settings, hide_passwords

URL = "redis://:hidden@host/0"
SHOWN = "redis://:**@host/0"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (URL, SHOWN),
        ([URL], [SHOWN]),
        ((URL, 3), [SHOWN, 3]),
        ({"hosts": [URL, {"password": "hidden"}]}, {"hosts": [SHOWN, {"password": "**"}]}),
        ([{"API_KEY": b"hidden"}], [{"API_KEY": "**"}]),
        ({"total": {"shop.api.sync": 3}}, {"total": {"shop.api.sync": 3}}),
        ({1: None, "ssl": True}, {1: None, "ssl": True}),
    ],
)
def test_hidden(value: Any, shown: Any) -> None:
    """A secret is known by its name at any depth, and a URL's password wherever the URL is."""
    assert hide_passwords(value) == shown


class TestApp:
    """Any Celery app, with its settings under any names."""

    @pytest.fixture
    def app(self) -> Celery:
        """Return an app whose settings have passwords in URLs."""
        app = Celery("project", set_as_current=False, fixups=[])
        given = {"CELERY_BROKER_URL": URL, "CACHES": {"default": {"LOCATION": [URL]}}}
        app.config_from_object(SimpleNamespace(**given), namespace="CELERY")
        return app

    def test_shown(self, app: Celery) -> None:
        """``inspect conf``, ``report`` and Flower read this table."""
        shown = app.conf.table()
        assert shown["CACHES"] == {"default": {"LOCATION": [SHOWN]}}
        assert "hidden" not in f"{shown} {app.conf.humanize()} {app.bugreport()}"

    def test_in_use(self, app: Celery) -> None:
        """What the app connects with is as it was, and so is what asks for all."""
        assert app.conf.broker_url == URL
        assert app.conf.table(censored=False)["CELERY_BROKER_URL"] == URL

    def test_installed_once(self) -> None:
        """A project that sets Django up again gets no second layer."""
        before = utils.Settings.table
        hide_in_settings()
        assert utils.Settings.table is before
