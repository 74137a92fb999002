"""Validators whose errors tell the writer of a value what it must be."""

import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils import timezone

RESERVED_SLUGS = frozenset({"new"})


def validate_slug_not_reserved(value: str) -> None:
    """Refuse a slug whose address is a page of the site."""
    if value in RESERVED_SLUGS:
        raise ValidationError(
            "“%(slug)s” is an address of the site itself. Choose another slug.",
            code="reserved",
            params={"slug": value},
        )


def at_most(length: int) -> dict[str, Any]:
    """Return the options of a TextField that takes ``length`` characters.

    ``max_length`` alone only bounds the field's widget in a form.
    """
    return {"max_length": length, "validators": [MaxLengthValidator(length)]}


def validate_not_in_future(value: datetime.date) -> None:
    """Refuse a date after today."""
    if value > timezone.localdate():
        raise ValidationError("A date of birth can't be in the future.", code="future")
