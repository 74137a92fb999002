"""A change to an audited object, named alike by the database's witness and by the audit log."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"

Key = tuple[str, str]
"""A model's label and an object's id."""
Values = tuple[tuple[str, str | None], ...]
"""Fields with their values, in the order of their names."""


class Change(NamedTuple):
    """What became of an object: what was true before, and what after."""

    action: str
    old: Values = ()
    new: Values = ()

    def __str__(self) -> str:
        return f"{self.action} {dict(self.old)} → {dict(self.new)}"


def flag(value: Any) -> str:
    """A yes or no, however a database writes it."""
    return str(value in (True, 1, "True", "true", "1"))


def money(value: Any) -> str:
    """An amount with two places."""
    return f"{Decimal(str(value)):.2f}"


def moment(value: Any) -> str:
    """A time, in UTC."""
    parsed = datetime.fromisoformat(str(value))
    parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return parsed.isoformat()


SPECIAL: dict[str, Callable[[Any], str]] = {
    "price": money,
    "is_active": flag,
    "is_staff": flag,
    "is_superuser": flag,
    "created_at": moment,
    "date_joined": moment,
}

COLUMNS: dict[str, tuple[str, ...]] = {
    "content.product": ("id", "name", "price", "stock", "is_active"),
    "content.article": (
        *("id", "title", "slug", "author_id", "category_id", "content", "status", "created_at"),
    ),
    "content.comment": ("id", "article_id", "user_id", "text", "created_at"),
    "content.author": ("id", "user_id", "bio"),
    "content.category": ("id", "name", "slug"),
    "content.profile": ("id", "user_id", "bio", "location", "birth_date", "avatar"),
    "auth.user": (
        *("id", "password", "is_superuser", "username", "first_name", "last_name", "email"),
        *("is_staff", "is_active", "date_joined"),
    ),
    "auth.group": ("id", "name"),
}
"""The audited models with their audited columns."""
MASKED = {"auth.user": ("password",)}
"""The columns whose values the log tells nothing of, but that they changed."""
MASK = "********"


def table_of(model: str) -> str:
    """The model's table."""
    return model.replace(".", "_")


def values(row: Mapping[str, Any] | None) -> Values:
    """The fields of a row or of an audit entry, each as one and the same text."""
    named = {name.removesuffix("_id"): value for name, value in (row or {}).items()}
    return tuple(sorted((name, _text(name, value)) for name, value in named.items()))


def witnessed(
    model: str, action: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Change | None:
    """The change of a row; None if it changed nothing that is audited."""
    before = {name: old[name] for name in COLUMNS[model]} if old else None
    after = {name: new[name] for name in COLUMNS[model]} if new else None
    if before is None or after is None:
        return Change(action, masked(model, values(before)), masked(model, values(after)))
    pairs = [pair for pair in zip(values(before), values(after), strict=True) if pair[0] != pair[1]]
    if not pairs:
        return None
    was, now = zip(*pairs, strict=True)
    return Change(UPDATE, masked(model, was), masked(model, now))


def masked(model: str, found: Values) -> Values:
    """Return the values as the log has them: without what is secret."""
    hidden = MASKED.get(model, ())
    return tuple((name, MASK if text and name in hidden else text) for name, text in found)


def audited(action: str, changes: Mapping[str, Any]) -> Change:
    """The change that an audit entry tells of."""
    if action == CREATE:
        return Change(CREATE, new=values(changes["values"]))
    if action == DELETE:
        return Change(DELETE, old=values(changes["deleted_values"]))
    was = {name: change["old"] for name, change in changes.items()}
    now = {name: change["new"] for name, change in changes.items()}
    return Change(UPDATE, values(was), values(now))


def _text(name: str, value: Any) -> str | None:
    return None if value is None else SPECIAL.get(name, str)(value)
