"""The migration that notes of which articles followers were told before."""

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from notifications.models import Announcement
from tests.factories import ArticleFactory
from tests.unit.notifications.made import make_delivery

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]

migration = import_module("notifications.migrations.0003_earlier_tellings")


def test_notes_each_article_once() -> None:
    """Each article that has a delivery gets a row, with the time of the last one."""
    told, untold = ArticleFactory.create_batch(2)
    now = timezone.now()
    for number in range(3):
        at = now - timedelta(days=number)
        make_delivery(number, article_id=told.pk, created_at=at)
    make_delivery("comment", article_id=untold.pk, kind="comment_posted")
    make_delivery("gone", article_id=4711)
    migration.note_earlier_tellings(apps, SimpleNamespace(connection=connection))
    row = Announcement.objects.get()
    assert (row.article, row.author, row.round) == (told, told.author, 1)
    assert abs(row.told_at - now) < timedelta(milliseconds=1)
