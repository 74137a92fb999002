"""System checks: name each misconfiguration that would break the guarantee.

``manage.py check --tag aftercommit`` runs the library's checks alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Model

from aftercommit.conf import TAG, conf
from aftercommit.db.hints import engine_hint
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.tracking.auditable import AuditableMixin


@register(TAG)
def check_hook(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for each database whose ENGINE has no commit hook."""
    return list(_without_hook())


def _without_hook() -> Iterator[CheckMessage]:
    for alias in connections:
        is_other = alias != DEFAULT_DB_ALIAS
        if _has_hook(alias) or (is_other and _why_no_outbox(alias)):
            continue
        engine = connections[alias].settings_dict["ENGINE"]
        level = Error if alias == DEFAULT_DB_ALIAS else Warning
        yield level(
            f"Database {alias!r} has the ENGINE {engine!r}, which stores no calls before COMMIT.",
            hint=f"{engine_hint(connections[alias])} Without the hook a call is stored after the "
            "COMMIT, and is lost if the process dies in between.",
            id="aftercommit.E001" if level is Error else "aftercommit.W001",
        )


@register(TAG)
def check_tables(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for each database with the hook and, by the settings, without the tables."""
    return [
        Warning(
            f"Database {alias!r} has the commit hook, and {why}. Workers look for calls there, and "
            "a transaction that makes one there can't commit.",
            hint="If no task is called there, set ENGINE to Django's own, which has no hook. Else "
            "let the routers' allow_migrate() accept the app 'aftercommit' there, and run "
            f"manage.py migrate --database {alias}.",
            id="aftercommit.W002",
        )
        for alias in connections
        if _has_hook(alias) and (why := _why_no_outbox(alias))
    ]


@register(Tags.database, TAG)
def check_pooler(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return a message for each setting that a pooler in front of a database does not keep.

    The databases are asked, so Django has to be told which: ``check --database default``.
    """
    return [
        Warning(
            f"Database {alias!r} is reached through a pooler, and {what}.",
            hint=f"{advice} If the pooler is in session mode, silence this message.",
            id="aftercommit.W006",
        )
        for alias in databases or ()
        if _has_hook(alias)
        for what, advice in outbox_ops(connections[alias]).lost_in_pooler()
    ]


def _has_hook(alias: str) -> bool:
    return getattr(connections[alias], "has_outbox", False)


def _why_no_outbox(alias: str) -> str:
    """Return why the database is to have no outbox, or "" if it is to have one."""
    if mirrored := connections[alias].settings_dict["TEST"]["MIRROR"]:
        return f"is a replica of {mirrored!r} (TEST has MIRROR)"
    if not router.allow_migrate_model(alias, OutboxCall):
        return "DATABASE_ROUTERS keep the outbox's tables out of it"
    return ""


@register(TAG)
def check_tenants(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if django-tenants is to make an outbox in each tenant's schema."""
    names = {app.removesuffix(".apps.AftercommitConfig") for app in _tenant_apps()}
    if "aftercommit" not in names:
        return []
    return [
        Error(
            "TENANT_APPS has 'aftercommit', so that each tenant's schema gets an outbox. Workers "
            "look into the public schema alone: a tenant's calls would wait for ever.",
            hint="Have 'aftercommit' in SHARED_APPS alone, and name a carrier for the tenant in "
            "OUTBOX_CONTEXT.",
            id="aftercommit.E005",
        )
    ]


def _tenant_apps() -> Iterator[str]:
    """Yield the apps whose tables django-tenants makes in the schemas of tenants."""
    yield from getattr(settings, "TENANT_APPS", ())
    public = getattr(settings, "PUBLIC_SCHEMA_NAME", "public")
    for name, kind in getattr(settings, "TENANT_TYPES", {}).items():
        yield from kind.get("APPS", ()) if name != public else ()


@register(TAG)
def check_cache(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if OUTBOX_CACHE names no cache."""
    alias = conf().CACHE
    if alias in settings.CACHES:
        return []
    return [
        Error(
            f"OUTBOX_CACHE names {alias!r}, and CACHES has {', '.join(settings.CACHES)}.",
            hint="Add this alias to CACHES, with a Redis that all processes share.",
            id="aftercommit.E003",
        )
    ]


@register(Tags.models, TAG)
def check_mixin_order(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for each model that names AuditableMixin after ``models.Model``."""
    return [
        Error(
            f"{model._meta.label} names AuditableMixin after models.Model, whose save() wins.",
            hint=f"Write class {model.__name__}(AuditableMixin, models.Model).",
            obj=model,
            id="aftercommit.E004",
        )
        for model in apps.get_models()
        if issubclass(model, AuditableMixin)
        and model.__mro__.index(AuditableMixin) > model.__mro__.index(Model)
    ]
