"""The rows that belong to a person, so that what was written about the rows is known as theirs.

A log says of a row its model, its key and its values. The row itself can be gone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db import models

from core.forgetting.person import Person
from core.forgetting.places import Rows

Values = Iterable[tuple[str, str | None]]
"""The names and values of fields, as a log has them."""

NAMED = "named: "
"""Begins the label of rows that are another person's, and that tell of this one by their names."""

KEPT = "kept: "
"""Begins the label of rows that are the person's, and that stay as they are."""


@dataclass(frozen=True)
class Owned:
    """A model whose rows belong to who is named in one of their fields."""

    model: type[models.Model]

    field: str
    """The foreign key: to the user, or to a model that is registered before."""

    rows: Callable[[Person], Rows]
    """Return the person's rows that are there."""

    kept: Callable[[Person], Rows] = lambda person: User.objects.none()
    """Return those of them that stay as they are."""

    is_named: bool = False
    """True for rows of others whose names tell of the person's rows: a comment on an article."""

    @cached_property
    def label(self) -> str:
        """Return the label under which a person's rows of this model are known."""
        return NAMED * self.is_named + self.model._meta.label_lower

    @cached_property
    def owner(self) -> str:
        """Return the label of the model that the field refers to."""
        target: Any = self.model._meta.get_field(self.field).related_model
        return str(target._meta.label_lower)


_owned: list[Owned] = []


def register_owned(owned: Owned) -> None:
    """Have what was written about these rows count as the person's."""
    _owned.append(owned)


def learn_rows(person: Person) -> None:
    """Note which rows are the person's, while they are there."""
    person.rows.setdefault("auth.user", set()).add(str(person.user_id))
    for owned in _owned:
        person.rows.setdefault(owned.label, set()).update(_keys(owned.rows(person)))
        person.rows[KEPT + owned.label] = _keys(owned.kept(person))


def is_owned(person: Person, label: str, key: str | None, values: Values = ()) -> bool:
    """Return whether the row of this model is or was the person's. Note it if its values say so."""
    return _is_known(person, label, key, values)


def is_named(person: Person, label: str, key: str | None, values: Values = ()) -> bool:
    """Return whether the row's name tells of the person's rows."""
    return _is_known(person, NAMED + label, key, values)


def is_of_user(label: str) -> bool:
    """Return whether a row of this model is a user's, so that its name can have the user's."""
    user = User._meta.label_lower
    return label == user or any(each.label == label and each.owner == user for each in _owned)


def _is_known(person: Person, known: str, key: str | None, values: Values) -> bool:
    rows = person.rows.get(known, set())
    if key not in rows and _is_in_values(person, known, values):
        rows.add(str(key))
    return key in rows and key not in person.rows.get(KEPT + known, ())


def _is_in_values(person: Person, known: str, values: Values) -> bool:
    fields = [
        (each.field, person.rows.get(each.owner, ())) for each in _owned if each.label == known
    ]
    return any(
        name == field and value in owners for field, owners in fields for name, value in values
    )


def _keys(rows: Rows) -> set[str]:
    return {str(key) for key in rows.values_list("pk", flat=True)}
