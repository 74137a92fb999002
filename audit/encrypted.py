"""Fields whose column has something else than their value in clear, such as its encryption.

Django knows nothing of such fields. They are told by the name of their class, and by trying what
they make of a value.
"""

import datetime
from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import connections, router

CLASS_WORDS = ("crypt", "fernet", "cipher", "vault", "secret", "sealed", "pgp")
WRITERS = ("pre_save", "get_prep_value", "get_db_prep_value", "get_db_prep_save")
SAMPLES: tuple[tuple[Any, str], ...] = (
    ("Sample of a text", "sample of a text"),
    (8_362_915, "8362915"),
    (datetime.datetime(1987, 6, 5, 12, tzinfo=datetime.UTC), "1987-06"),
    (datetime.date(1987, 6, 5), "1987-06"),
    ({"sample": "of JSON"}, "of json"),
    (b"sample of bytes", "sample of bytes"),
)
"""Values, and what their stored form has to show, in whichever time zone."""


def is_encrypted(field: Any) -> bool:
    """Return whether the field's column hides its value.

    ``AUDIT_FIELD_CLASSES`` can say so of a class, ``{"shop.fields.Sealed": "mask"}``, or the
    opposite, ``"show"``.
    """
    configured = configured_classes()
    for each in type(field).__mro__:
        if (choice := configured.get(f"{each.__module__}.{each.__qualname__}")) is not None:
            return bool(choice == "mask")
    foreign = list(_foreign_classes(field))
    return any(map(_has_name, foreign)) or (bool(foreign) and _hides(field, foreign))


def configured_classes() -> dict[str, str]:
    """Return the setting, or an empty one if it is none."""
    given: Any = getattr(settings, "AUDIT_FIELD_CLASSES", {})
    return given if isinstance(given, dict) else {}


def _foreign_classes(field: Any) -> Iterator[type]:
    """Yield the classes of the field that are not Django's."""
    for each in type(field).__mro__:
        if each is not object and each.__module__.partition(".")[0] != "django":
            yield each


def _has_name(cls: type) -> bool:
    return any(word in cls.__qualname__.lower() for word in CLASS_WORDS)


def _hides(field: Any, classes: list[type]) -> bool:
    if any("get_placeholder" in vars(each) for each in classes):
        return True  # the database makes something of the value
    if not any(name in vars(each) for each in classes for name in WRITERS):
        return False
    return next((hidden for hidden in _trials(field) if hidden is not None), False)


def _trials(field: Any) -> Iterator[bool | None]:
    """Yield for each sample whether the field hides it, or None if it takes no such value."""
    connection = connections[router.db_for_write(field.model)]
    writers = (
        lambda value: field.get_db_prep_save(value, connection),
        field.get_prep_value,  # the database's part of it may not take what this returns
    )
    for (sample, text), write in product(SAMPLES, writers):
        instance = SimpleNamespace(**{field.attname: sample})
        try:
            stored = write(field.pre_save(instance, False))
        except Exception:  # noqa: BLE001  # the field is for another kind of value
            yield None
        else:
            value = getattr(instance, field.attname)  # which the field may have chosen itself
            expected = text if value is sample else _as_text(value)
            yield None if stored is None else expected not in _as_text(stored)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("latin-1")
    if isinstance(value, datetime.date):
        return f"{value:%Y-%m}"  # what is behind it differs between time zones
    return str(value).casefold()
