"""The system checks that name what is optional, and what it would bring."""

from typing import Any

import pytest
from celery import Celery
from django.core.checks import INFO, CheckMessage
from django.core.checks.registry import registry
from django.db.utils import ConnectionHandler
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from aftercommit import advice, views
from aftercommit.context import ContextMiddleware

CHECKS = [
    advice.advise_context,
    advice.advise_health,
    advice.advise_transactions,
    advice.advise_time_limit,
    advice.show_defaults,
]

POSTGRES = {
    "ENGINE": "aftercommit.db.postgresql",
    "NAME": "shop",
    "OPTIONS": {"tcp_user_timeout": 20_000},
}


def ids(messages: list[CheckMessage]) -> list[str | None]:
    """Return the messages' ids."""
    assert {message.level for message in messages} <= {INFO}
    return [message.id for message in messages]


def found(*patterns: URLPattern | URLResolver) -> list[str | None]:
    """Return what the check says of a site with these addresses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice, "_routed_views", lambda: advice._views_of(patterns))
        return ids(advice.advise_health())


class OwnMiddleware(ContextMiddleware):
    """A project's own version."""


def other(request: HttpRequest) -> HttpResponse:
    """Return nothing of interest."""
    return HttpResponse()


class TestContext:
    """``advise_context``."""

    def test_site(self) -> None:
        """The site has the middleware."""
        assert advice.advise_context() == []

    def test_subclass(self, settings: Any) -> None:
        """A class of the project that derives from it does as well."""
        settings.MIDDLEWARE = [f"{__name__}.OwnMiddleware"]
        assert advice.advise_context() == []

    @pytest.mark.parametrize(
        "middleware",
        [[], ["django.middleware.common.CommonMiddleware"], ["no.such.Middleware"]],
    )
    def test_missing(self, settings: Any, middleware: list[str]) -> None:
        """Without it there is a hint that names it."""
        settings.MIDDLEWARE = middleware
        messages = advice.advise_context()
        assert ids(messages) == ["aftercommit.I021"]
        assert "aftercommit.context.ContextMiddleware" in str(messages[0].hint)


class TestHealth:
    """``advise_health``."""

    def test_site(self) -> None:
        """The site has the address."""
        assert advice.advise_health() == []

    def test_deep(self) -> None:
        """It may be in URLs that others include, under a namespace."""
        inner = include(([path("ready", views.ready)], "monitoring"), namespace="monitoring")
        assert found(path("", other), path("internal/", inner)) == []

    def test_missing(self) -> None:
        """Without it there is a hint."""
        assert found(path("", other)) == ["aftercommit.I022"]

    def test_no_urls(self, settings: Any) -> None:
        """A project without any URLs, which has workers only, gets the hint too."""
        del settings.ROOT_URLCONF
        assert ids(advice.advise_health()) == ["aftercommit.I022"]


class TestTransactions:
    """``advise_transactions``."""

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, ["aftercommit.I023"]),
            ({"transaction_mode": None}, ["aftercommit.I023"]),
            ({"transaction_mode": "deferred"}, ["aftercommit.I023"]),
            ({"transaction_mode": "immediate"}, []),
            ({"transaction_mode": "EXCLUSIVE"}, []),
        ],
    )
    def test_sqlite(
        self, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: list[str]
    ) -> None:
        """SQLite's default is named, and what makes writers wait for their turn is not."""
        database = {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:", "OPTIONS": options}
        handler = ConnectionHandler({"default": database})
        monkeypatch.setattr(advice, "connections", handler)
        assert ids(advice.advise_transactions()) == expected

    def test_without_hook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database of Django's own backend is none of the outbox's."""
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        handler = ConnectionHandler({"default": database})
        monkeypatch.setattr(advice, "connections", handler)
        assert advice.advise_transactions() == []


class TestTimeLimit:
    """``advise_time_limit``."""

    @pytest.mark.parametrize(("limit", "expected"), [(None, ["aftercommit.I024"]), (180, [])])
    def test_limit(
        self, monkeypatch: pytest.MonkeyPatch, limit: float | None, expected: list[str]
    ) -> None:
        """An app without a time limit is told what a call that hangs does."""
        app = Celery("project", set_as_current=False, fixups=[])
        app.conf.task_time_limit = limit
        monkeypatch.setattr(advice, "current_app", app)
        assert ids(advice.advise_time_limit()) == expected


class TestDefaults:
    """``show_defaults``."""

    def test_site(self) -> None:
        """Those of Celery, under the project's names, and those of the broker's connections."""
        (message,) = advice.show_defaults()
        assert "CELERY_BROKER_CONNECTION_MAX_RETRIES = None" in message.msg
        assert "CELERY_BROKER_TRANSPORT_OPTIONS['socket_timeout'] = 5" in message.msg

    def test_project_goes_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the project sets itself is not named, nor what is for another broker."""
        app = Celery("project", broker="amqp://", set_as_current=False, fixups=[])
        app.finalize()
        app.conf.broker_connection_max_retries = 7
        monkeypatch.setattr(advice, "current_app", app)
        (message,) = advice.show_defaults()
        assert "max_retries" not in message.msg
        assert "broker_channel_error_retry = True" in message.msg
        assert "socket_timeout" not in message.msg

    def test_postgresql(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a connection's parameters too those are named that the project left open."""
        monkeypatch.setattr(advice, "connections", ConnectionHandler({"default": POSTGRES}))
        (message,) = advice.show_defaults()
        assert "DATABASES['default']['OPTIONS']['keepalives_idle'] = 5" in message.msg
        assert "tcp_user_timeout" not in message.msg

    def test_nothing_to_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without any in force there is no message."""
        monkeypatch.setattr(advice, "_defaults_in_force", lambda: iter(()))
        assert advice.show_defaults() == []


@pytest.mark.parametrize("check", CHECKS)
def test_registered(check: Any) -> None:
    """``manage.py check`` runs each; the defaults are for ``manage.py check --deploy``."""
    assert check in registry.get_checks(include_deployment_checks=True)
    assert (check in registry.get_checks()) is (check is not advice.show_defaults)
    assert "aftercommit" in check.tags
