"""``insert_rows``: the same rows as bulk_create's."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from content.models import Article
from core.db.bulk import insert_rows
from tests.factories import ArticleFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_as_bulk_create() -> None:
    """Text that COPY has a meaning for, quotes and letters of any kind arrive as they are."""
    names = ["a\tb", "line\nline", "back\\slash", "\\N", "'quoted'", '"', "été 漢字", ""]
    insert_rows([Group(name=name) for name in names], "default")
    assert set(Group.objects.values_list("name", flat=True)) == set(names)


def test_each_field() -> None:
    """Every field of a model is written as ``save()`` writes it: dates, numbers, keys, none."""
    saved = ArticleFactory.create(slug="saved")
    copied = Article.objects.get(pk=saved.pk)
    copied.pk, copied.slug = None, "copied"
    insert_rows([copied], "default")
    names = [field.attname for field in Article._meta.concrete_fields if not field.primary_key]
    written = Article.objects.values(*names).get(slug="copied")
    assert written == {name: getattr(copied, name) for name in names}


def test_nothing() -> None:
    """No rows, no statement."""
    with CaptureQueriesContext(connection) as captured:
        insert_rows([], "default")
    assert not captured.captured_queries


def test_error() -> None:
    """A broken constraint is Django's IntegrityError, and nothing is written."""
    with pytest.raises(IntegrityError):
        insert_rows([Group(name="a"), Group(name="a")], "default")
    assert not Group.objects.exists()
