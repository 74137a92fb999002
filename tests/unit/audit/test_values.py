"""What the log says of a value is what the database holds."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models

from audit.values import as_text
from content.models import Article, Comment, Product, Profile
from tests.factories import ProductFactory, UserFactory

pytestmark = pytest.mark.every_database

UTC = datetime.UTC


def text(field: models.Field, value: Any) -> str | None:
    """The value as the log has it."""
    field.set_attributes_from_name("it")
    return as_text(field, value, "default")


class TestAsText:
    @pytest.mark.parametrize(
        ("field", "value", "expected"),
        [
            (models.CharField(), None, None),
            (models.CharField(), "None", "None"),
            (models.CharField(), " as it is\n", " as it is\n"),
            (models.CharField(), Article.Status.DRAFT, "draft"),
            (models.IntegerField(), "7", "7"),
            (models.BooleanField(), 1, "True"),
            (models.DateField(), datetime.date(2024, 2, 29), "2024-02-29"),
            (models.DateField(), "2024-02-29", "2024-02-29"),
            (models.DurationField(), datetime.timedelta(days=1), "1 00:00:00"),
            (models.UUIDField(), "0" * 31 + "1", str(UUID(int=1))),
            (models.JSONField(), {"b": [1], "a": None}, '{"a": null, "b": [1]}'),
            (models.BinaryField(), b"\x00", "AA=="),
        ],
    )
    def test_is_what_a_serializer_writes(
        self, field: models.Field, value: Any, expected: str | None
    ) -> None:
        """Text, but None for None."""
        assert text(field, value) == expected

    @pytest.mark.parametrize("value", [10, 10.0, "10", Decimal("10"), Decimal("1E+1")])
    def test_decimal_has_the_field_s_places(self, value: Any) -> None:
        """However it was set, 10 in a field with two places is 10.00."""
        assert text(models.DecimalField(max_digits=10, decimal_places=2), value) == "10.00"

    def test_time_is_utc(self) -> None:
        """An instant is one text, whatever zone it was set in."""
        zone = datetime.timezone(datetime.timedelta(hours=2))
        moment = datetime.datetime(2024, 1, 1, 1, 30, tzinfo=zone)
        assert text(models.DateTimeField(), moment) == "2023-12-31T23:30:00+00:00"

    def test_value_that_the_field_rejects_is_kept(self) -> None:
        """A value that only the database understands is logged as it was given."""
        assert text(models.IntegerField(), "a lot") == "a lot"

    def test_foreign_key_is_the_key(self) -> None:
        """A foreign key shows the key, as a string."""
        assert as_text(Comment._meta.get_field("article"), 5, "default") == "5"

    def test_file_is_its_name(self) -> None:
        """A file shows its name, and no file the empty one that is stored."""
        avatar = Profile._meta.get_field("avatar")
        profile = Profile(avatar="avatars/me.png")
        assert as_text(avatar, profile.avatar, "default") == "avatars/me.png"
        assert as_text(avatar, Profile().avatar, "default") == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "price", [9.99, 0.1 + 0.2, "0.125", "0.135", "-0.125", 7, "1.005", "0.001"]
)
def test_decimal_is_what_the_database_made_of_it(price: Any) -> None:
    """Each database rounds in its own way; the log agrees with the one in use."""
    product = ProductFactory.create(price=price)
    field = Product._meta.get_field("price")
    stored = Product.objects.values_list("price", flat=True).get(pk=product.pk)
    assert as_text(field, product.price, "default") == str(stored), connection.vendor


@pytest.mark.django_db
def test_every_audited_value_survives_a_reload() -> None:
    """What was logged of an instance is what would be logged of it read back."""
    user = UserFactory.create(username="mara")
    for field in user._meta.concrete_fields:
        (stored,) = type(user).objects.filter(pk=user.pk).values_list(field.attname).get()
        value = getattr(user, field.attname)
        assert as_text(field, value, "default") == as_text(field, stored, "default"), field.name
