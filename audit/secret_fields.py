"""Fields whose values are secret."""

from collections.abc import Collection
from typing import Any

from .encrypted import is_encrypted
from .names import is_sensitive

TELLING_NOTHING = frozenset(
    {"BooleanField", "DateField", "DateTimeField", "DurationField", "TimeField"}
)
"""Types of fields that hold no secret, whatever their names are: ``password_changed_at``."""

UNNAMED = frozenset({"key", "value", "digest", "hash"})
"""Names of fields that say nothing without their model's: ``Token.key``."""


def is_secret(field: Any, mask: Collection[str] = (), show: Collection[str] = ()) -> bool:
    """Return whether the log masks the field.

    A field in ``mask`` is masked, and one that is encrypted in its column. So is one whose name
    tells of a secret, or that refers to a secret key, unless it is in ``show``.
    """
    if field.name in mask or is_encrypted(field):
        return True
    return field.name not in show and (_is_named(field) or _refers_to_secret(field))


def _is_named(field: Any) -> bool:
    if field.get_internal_type() in TELLING_NOTHING:
        return False
    name = field.name
    return is_sensitive(f"{field.model.__name__}_{name}" if name in UNNAMED else name)


def _refers_to_secret(field: Any) -> bool:
    return field.remote_field is not None and is_secret(field.target_field)
