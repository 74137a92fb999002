"""What a history of changes must leave behind, in plain Python: the rows, and the log of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Key = tuple[str, int]
"""A model's label and a primary key."""

Values = dict[str, Any]
Rows = dict[Key, Values]

USER, PROFILE, AUTHOR = "auth.user", "content.profile", "content.author"
CATEGORY, ARTICLE, COMMENT = "content.category", "content.article", "content.comment"
PRODUCT = "content.product"

CASCADES = (
    (USER, PROFILE, "user_id"),
    (USER, AUTHOR, "user_id"),
    (USER, COMMENT, "user_id"),
    (AUTHOR, ARTICLE, "author_id"),
    (ARTICLE, COMMENT, "article_id"),
)
"""Whose deletion deletes whom, by which column."""


class Logged(NamedTuple):
    """One entry of the log: each field's old and new value; None where there is none."""

    action: str
    changes: dict[str, tuple[Any, Any]]


class Change(NamedTuple):
    """The values that a row has from now on (None: it is gone), and what the log must say of it."""

    key: Key
    values: Values | None
    logged: Logged | None = None


def created(key: Key, values: Values) -> Change:
    """A new row."""
    return Change(key, values, Logged("CREATE", {n: (None, v) for n, v in values.items()}))


def updated(key: Key, old: Values, new: Values) -> Change:
    """New values of some of a row's columns; the log has those that differ."""
    differ = {name: (old[name], value) for name, value in new.items() if old[name] != value}
    return Change(key, new, Logged("UPDATE", differ) if differ else None)


def deleted(rows: Rows, key: Key) -> Iterator[Change]:
    """A row and all that goes with it; articles stay without their category."""
    for owner, owned, column in CASCADES:
        if owner == key[0]:
            for each in [k for k, v in rows.items() if k[0] == owned and v[column] == key[1]]:
                yield from deleted(rows, each)
    if key[0] == CATEGORY:
        for each in [k for k in rows if k[0] == ARTICLE and rows[k]["category_id"] == key[1]]:
            yield Change(each, {"category_id": None})  # Django sends no signal of it
    yield Change(key, None, Logged("DELETE", {n: (v, None) for n, v in rows[key].items()}))


def apply(rows: Rows, changes: Iterable[Change]) -> Rows:
    """The rows after the changes."""
    rows = dict(rows)
    for key, values, _ in changes:
        if values is None:
            rows.pop(key, None)
        else:
            rows[key] = {**rows.get(key, {}), **values}
    return rows


@dataclass
class History:
    """What has committed so far."""

    rows: Rows = field(default_factory=dict)
    log: dict[Key, list[Logged]] = field(default_factory=lambda: defaultdict(list))

    def commit(self, changes: Iterable[Change]) -> None:
        """Add what a transaction did."""
        changes = _each_once(changes)
        self.rows = apply(self.rows, changes)
        for key, _, logged in changes:
            if logged is not None:
                self.log[key].append(logged)

    def counters(self) -> dict[Key, int]:
        """How many articles each author and each category has."""
        articles = [row for key, row in self.rows.items() if key[0] == ARTICLE]
        counts = Counter((AUTHOR, row["author_id"]) for row in articles)
        counts += Counter((CATEGORY, row["category_id"]) for row in articles)
        return {key: counts[key] for key in self.rows if key[0] in (AUTHOR, CATEGORY)}


def _each_once(changes: Iterable[Change]) -> list[Change]:
    """Without what a deletion reached by two ways, such as a comment by its user and article."""
    once: list[Change] = []
    gone: set[Key] = set()
    for change in changes:
        if change.values is None and change.key in gone:
            continue
        (gone.add if change.values is None else gone.discard)(change.key)
        once.append(change)
    return once
