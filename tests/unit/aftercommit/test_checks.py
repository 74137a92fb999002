"""The system checks: each names one misconfiguration, and the project has none."""

# ruff: noqa: DJ008  # nobody reads the names of these models' objects
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, Warning, run_checks
from django.core.checks.registry import registry
from django.db import models
from django.db.backends.sqlite3 import base as django_sqlite3
from django.db.utils import ConnectionHandler
from django.test.utils import isolate_apps
from pytest_django import Settings

from aftercommit import checks
from aftercommit.tracking.auditable import AuditableMixin

HOOKED = {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:"}
PLAIN = {**HOOKED, "ENGINE": "django.db.backends.sqlite3"}

UseDatabases = Callable[[dict[str, Any]], None]


@pytest.fixture
def use_databases(monkeypatch: pytest.MonkeyPatch) -> UseDatabases:
    """Has the checks look at these databases."""
    return lambda databases: monkeypatch.setattr(
        checks, "connections", ConnectionHandler(databases)
    )


def found(messages: list[CheckMessage]) -> list[tuple[type[CheckMessage], str | None]]:
    """The level and the id of each message."""
    return [(type(message), message.id) for message in messages]


@pytest.mark.django_db
def test_project_has_none() -> None:
    """The project as it is configured passes them all."""
    ours = [message for message in run_checks() if str(message.id).startswith("aftercommit.")]
    # Other tests define tasks that are not durable.
    assert [message for message in ours if "tests." not in message.msg] == []


class TestHook:
    """The commit hook of each database."""

    def test_success(self, use_databases: UseDatabases) -> None:
        """Every database has it."""
        use_databases({"default": HOOKED, "other": HOOKED})
        assert checks.check_hook() == []

    @pytest.mark.parametrize("atomic", [True, False])
    def test_atomic_requests(self, use_databases: UseDatabases, atomic: bool) -> None:
        """No check asks for ATOMIC_REQUESTS: without it no call is lost."""
        use_databases({"default": {**HOOKED, "ATOMIC_REQUESTS": atomic}})
        assert not [each for each in run_checks() if "ATOMIC_REQUESTS" in each.msg]

    def test_fail_default(self, use_databases: UseDatabases) -> None:
        """An error for the default database, which names the ENGINE and the right ones."""
        use_databases({"default": PLAIN})
        messages = checks.check_hook()
        assert found(messages) == [(Error, "aftercommit.E001")]
        assert "'default' has the ENGINE 'django.db.backends.sqlite3'" in messages[0].msg
        assert 'Write "ENGINE": "aftercommit.db.sqlite3" for' in str(messages[0].hint)
        assert "is lost if the process dies in" in str(messages[0].hint)

    @pytest.mark.parametrize("engine", ["psqlextra.backend", "shop.db"])
    def test_hint_combined(
        self, monkeypatch: pytest.MonkeyPatch, use_databases: UseDatabases, engine: str
    ) -> None:
        """The hint for an ENGINE of somebody else's is the line to write."""
        monkeypatch.setitem(sys.modules, f"{engine}.base", django_sqlite3)
        use_databases({"default": {**PLAIN, "ENGINE": engine}})
        (message,) = checks.check_hook()
        assert f'Write "ENGINE": combine("{engine}") for' in str(message.hint)
        assert "from aftercommit.db import combine." in str(message.hint)

    def test_fail_other(self, use_databases: UseDatabases) -> None:
        """A warning for another database, which may have no calls."""
        use_databases({"default": HOOKED, "legacy": PLAIN})
        messages = checks.check_hook()
        assert found(messages) == [(Warning, "aftercommit.W001")]
        assert "'legacy'" in messages[0].msg

    def test_fail_none(self, use_databases: UseDatabases) -> None:
        """An error, not a crash, without any database."""
        use_databases({})
        messages = checks.check_hook()
        assert found(messages) == [(Error, "aftercommit.E001")]
        assert "set ENGINE to 'aftercommit.db.postgresql', " in str(messages[0].hint)
        assert "combine(" not in str(messages[0].hint)


class NoOutbox:
    """A router as Django's documentation has it: the database is for one app alone."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return app_label == "archive" if db == "archive" else None


class TestWithoutOutbox:
    """A database that the project keeps the outbox's tables out of."""

    MIRROR = {"TEST": {"MIRROR": "default"}}

    def test_router(self, use_databases: UseDatabases, settings: Settings) -> None:
        """A warning if it has the hook: workers look for calls, and a call there would fail."""
        settings.DATABASE_ROUTERS = [f"{__name__}.NoOutbox"]
        use_databases({"default": HOOKED, "archive": HOOKED})
        messages = checks.check_tables()
        assert found(messages) == [(Warning, "aftercommit.W002")]
        assert "'archive' has the commit hook, and DATABASE_ROUTERS keep" in messages[0].msg
        assert "migrate --database archive" in str(messages[0].hint)

    def test_replica(self, use_databases: UseDatabases) -> None:
        """Likewise for a replica: workers can't write there."""
        use_databases({"default": HOOKED, "replica": {**HOOKED, **self.MIRROR}})
        messages = checks.check_tables()
        assert found(messages) == [(Warning, "aftercommit.W002")]
        assert "'replica' has the commit hook, and is a replica of 'default'" in messages[0].msg
        assert "set ENGINE to Django's own" in str(messages[0].hint)

    def test_success(self, use_databases: UseDatabases, settings: Settings) -> None:
        """Nothing is said of either with an ENGINE without the hook, nor of one with the tables."""
        settings.DATABASE_ROUTERS = [f"{__name__}.NoOutbox"]
        replica = {**PLAIN, **self.MIRROR}
        use_databases({"default": HOOKED, "b": HOOKED, "archive": PLAIN, "replica": replica})
        assert [*checks.check_hook(), *checks.check_tables()] == []


class TestTenants:
    """Where django-tenants makes the outbox's tables."""

    @pytest.mark.parametrize(
        "names",
        [
            {},
            {"TENANT_APPS": ["shop"]},
            {"TENANT_TYPES": {"public": {"APPS": ["aftercommit"]}, "a": {"APPS": ["shop"]}}},
            {"TENANT_TYPES": {"main": {"APPS": ["aftercommit"]}}, "PUBLIC_SCHEMA_NAME": "main"},
        ],
    )
    def test_success(self, settings: Settings, names: dict[str, Any]) -> None:
        """They are in the public schema, or there are no tenants."""
        for name, value in names.items():
            setattr(settings, name, value)
        assert checks.check_tenants() == []

    @pytest.mark.parametrize(
        "names",
        [
            {"TENANT_APPS": ["shop", "aftercommit"]},
            {"TENANT_APPS": ("aftercommit.apps.AftercommitConfig",)},
            {"TENANT_TYPES": {"public": {"APPS": []}, "a": {"APPS": ["aftercommit"]}}},
        ],
    )
    def test_fail(self, settings: Settings, names: dict[str, Any]) -> None:
        """An error where they would be in each tenant's schema, into which no worker looks."""
        for name, value in names.items():
            setattr(settings, name, value)
        messages = checks.check_tenants()
        assert found(messages) == [(Error, "aftercommit.E005")]
        assert "SHARED_APPS alone" in str(messages[0].hint)


class TestCache:
    """The cache by which the outbox knows who is woken."""

    def test_success(self) -> None:
        """The site's is there."""
        assert checks.check_cache() == []

    def test_fail_alias(self, settings: Settings) -> None:
        """An error for an alias that isn't there."""
        settings.OUTBOX_CACHE = "outbox"
        messages = checks.check_cache()
        assert found(messages) == [(Error, "aftercommit.E003")]
        assert f"names 'outbox', and CACHES has {', '.join(settings.CACHES)}." in messages[0].msg


class TestMixinOrder:
    """Where a model names AuditableMixin."""

    @isolate_apps("aftercommit")
    def test_fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error for one that names it after models.Model, and for no other."""

        class Good(AuditableMixin, models.Model):
            class Meta:
                app_label = "aftercommit"

        class Bad(models.Model, AuditableMixin):  # type: ignore[metaclass, misc]  # the point
            class Meta:
                app_label = "aftercommit"

        class Plain(models.Model):
            class Meta:
                app_label = "aftercommit"

        site = SimpleNamespace(get_models=lambda: [Good, Bad, Plain])
        monkeypatch.setattr(checks, "apps", site)
        messages = checks.check_mixin_order()
        assert found(messages) == [(Error, "aftercommit.E004")]
        assert messages[0].obj is Bad
        assert "class Bad(AuditableMixin, models.Model)" in str(messages[0].hint)


@pytest.mark.parametrize(
    "check",
    [
        checks.check_hook,
        checks.check_cache,
        checks.check_tenants,
        checks.check_mixin_order,
    ],
)
def test_registered(check: Any) -> None:
    """``manage.py check`` runs each of them, and ``check --tag aftercommit`` does."""
    assert check in registry.get_checks()
    assert "aftercommit" in check.tags
