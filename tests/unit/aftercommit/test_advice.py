"""The system checks that name what is optional, and what it would bring."""

from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.core.checks import INFO
from django.core.checks.registry import registry
from django.db.utils import ConnectionHandler
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from aftercommit import advice, views
from aftercommit.context import ContextMiddleware

POSTGRES = {
    "ENGINE": "aftercommit.db.postgresql",
    "NAME": "shop",
    "OPTIONS": {"tcp_user_timeout": 20_000},
}


def named(word: str) -> bool:
    """Return whether the message names what the word is part of."""
    messages = advice.advise()
    assert {(each.level, each.id) for each in messages} <= {(INFO, "aftercommit.I020")}
    assert len(messages) <= 1
    return any(word in each.msg for each in messages)


def routed(*patterns: URLPattern | URLResolver) -> bool:
    """Return whether a site with these addresses has the health page, says the message."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice, "_routed_views", lambda: advice._views_of(patterns))
        return not named("aftercommit.views.ready")


class OwnMiddleware(ContextMiddleware):
    """A project's own version."""


def other(request: HttpRequest) -> HttpResponse:
    """Return nothing of interest."""
    return HttpResponse()


def test_site() -> None:
    """The site has all of it, so that there is no message."""
    assert advice.advise() == []


class TestCache:
    """The cache by which processes know who is woken."""

    @pytest.mark.parametrize(
        "backend", ["django.core.cache.backends.redis", "aftercommit.redis.cache"]
    )
    def test_redis(self, settings: Any, backend: str) -> None:
        """One in Redis is read as integers, whatever else the project keeps there."""
        settings.CACHES = {"default": {"BACKEND": f"{backend}.RedisCache"}}
        assert not named("RedisCache")

    @pytest.mark.parametrize(
        "backend",
        ["locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache", "filebased.FileBasedCache"],
    )
    def test_other(self, settings: Any, backend: str, tmp_path: Path) -> None:
        """Another is each process's own, or unpickles what it reads."""
        path = f"django.core.cache.backends.{backend}"
        settings.CACHES = {"default": {"BACKEND": path, "LOCATION": str(tmp_path)}}
        assert named("aftercommit.redis.cache.RedisCache")

    def test_own_alias(self, settings: Any) -> None:
        """It is the alias that ``OUTBOX_CACHE`` names."""
        local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
        ours = {"BACKEND": "aftercommit.redis.cache.RedisCache"}
        settings.CACHES = {"default": local, "outbox": ours}
        assert named("RedisCache")
        settings.OUTBOX_CACHE = "outbox"
        assert not named("RedisCache")


class TestContext:
    """The middleware by which calls know who made them."""

    def test_subclass(self, settings: Any) -> None:
        """A class of the project that derives from it does as well."""
        settings.MIDDLEWARE = [f"{__name__}.OwnMiddleware"]
        assert not named("ContextMiddleware")

    @pytest.mark.parametrize(
        "middleware",
        [[], ["django.middleware.common.CommonMiddleware"], ["no.such.Middleware"]],
    )
    def test_missing(self, settings: Any, middleware: list[str]) -> None:
        """Without it the message names it."""
        settings.MIDDLEWARE = middleware
        assert named("aftercommit.context.ContextMiddleware")


class TestHealth:
    """The address for monitors."""

    def test_deep(self) -> None:
        """It may be in URLs that others include, under a namespace."""
        inner = include(([path("ready", views.ready)], "monitoring"), namespace="monitoring")
        assert routed(path("", other), path("internal/", inner))

    def test_missing(self) -> None:
        """Without it the message names it."""
        assert not routed(path("", other))

    def test_no_urls(self, settings: Any) -> None:
        """A project without any URLs, which has workers only, is told too."""
        del settings.ROOT_URLCONF
        assert named("aftercommit.views.ready")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"transaction_mode": None}, True),
        ({"transaction_mode": "deferred"}, True),
        ({"transaction_mode": "immediate"}, False),
        ({"transaction_mode": "EXCLUSIVE"}, False),
    ],
)
def test_sqlite(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: bool) -> None:
    """SQLite's default is named, and what makes writers wait for their turn is not."""
    database = {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:", "OPTIONS": options}
    monkeypatch.setattr(advice, "connections", ConnectionHandler({"default": database}))
    assert named("transaction_mode") is expected


def test_without_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of Django's own backend is none of the outbox's."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    monkeypatch.setattr(advice, "connections", ConnectionHandler({"default": database}))
    assert not named("transaction_mode")


@pytest.mark.parametrize(("limit", "expected"), [(None, True), (180, False)])
def test_time_limit(monkeypatch: pytest.MonkeyPatch, limit: float | None, expected: bool) -> None:
    """An app without a time limit is told what a call that hangs does."""
    app = Celery("project", set_as_current=False, fixups=[])
    app.conf.task_time_limit = limit
    monkeypatch.setattr(advice, "current_app", app)
    assert named("CELERY_TASK_TIME_LIMIT") is expected


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


@pytest.mark.parametrize("check", [advice.advise, advice.show_defaults])
def test_registered(check: Any) -> None:
    """``manage.py check`` runs each; the defaults are for ``manage.py check --deploy``."""
    assert check in registry.get_checks(include_deployment_checks=True)
    assert (check in registry.get_checks()) is (check is not advice.show_defaults)
    assert "aftercommit" in check.tags
