"""The backend in TASKS and its table of results, which the site has no use for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin import site
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.test import override_settings

from tests.unit.aftercommit.tables import tables

APP = "aftercommit.contrib.tasks"
BACKEND = f"{APP}.OutboxBackend"


@contextmanager
def installed(backends: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Have the app and these backends, for the block."""
    names = [*settings.INSTALLED_APPS, APP]
    pages = dict(site._registry)
    with override_settings(INSTALLED_APPS=names, TASKS=backends):
        yield
    # The admin would fail for a model whose app is gone.
    site._registry = pages


@contextmanager
def table_of_results() -> Iterator[None]:
    """Have the app's table, for the block."""
    from aftercommit.contrib.tasks.models import TaskRecord

    with tables(TaskRecord):
        # Else each test that commits would have all content types made anew.
        create_contenttypes(apps.get_app_config(TaskRecord._meta.app_label), verbosity=0)
        yield
        ContentType.objects.filter(app_label=TaskRecord._meta.app_label).delete()
