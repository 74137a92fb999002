"""The rows that stay from one test to the next."""

import pytest
from django.contrib.contenttypes.models import ContentType

from content.models import Category


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_sequences_of_kept_rows() -> None:
    """Ids begin with 1, but for the content types, which are there still."""
    assert Category.objects.create(name="News").pk == 1
    kept = set(ContentType.objects.values_list("pk", flat=True))
    made = ContentType.objects.create(app_label="content", model="of_no_app")
    made.delete()
    assert made.pk not in kept
