"""Tests of the changes: the witness and the audit log say the same of the same change."""

from decimal import Decimal
from typing import Any

import pytest

from tests.tools.chaos.changes import CREATE, DELETE, UPDATE, audited, witnessed
from tests.tools.chaos.evidence import committed_changes, logged_changes, tokens_of
from tests.unit.chaos.evidence import POT, created, record, restocked

POSTGRES = {"id": 7, "name": "Pot", "price": Decimal("9.99"), "stock": 0, "is_active": True}
SQLITE = {"id": 7, "name": "Pot", "price": Decimal("9.99"), "stock": 0, "is_active": 1}
MODEL = "content.product"


@pytest.mark.parametrize("row", [POSTGRES, SQLITE])
def test_creation(row: dict[str, Any]) -> None:
    """However the database writes the values, they are those of the log."""
    assert witnessed(MODEL, CREATE, None, row) == created()


def test_update() -> None:
    """Only what differs belongs to a change."""
    assert witnessed(MODEL, UPDATE, POSTGRES, POSTGRES | {"stock": 5}) == restocked(0, 5)


def test_no_change() -> None:
    """A row that was written as it was is no change."""
    assert witnessed(MODEL, UPDATE, POSTGRES, SQLITE) is None


def test_deletion() -> None:
    """A deletion has all old values."""
    change = witnessed(MODEL, DELETE, POSTGRES, None)
    values = {"id": "7", "name": "Pot", "price": "9.99", "stock": "0", "is_active": "True"}
    assert change == audited(DELETE, {"deleted_values": values})


def test_relation_and_time() -> None:
    """A foreign key goes by its field's name, a time is in UTC, and none stays none."""
    row = {"id": 1, "title": "T", "slug": "t", "author_id": 3, "category_id": None}
    row |= {"content": "", "status": "draft", "created_at": "2026-01-01T13:00:00+01:00"}
    logged = {name.removesuffix("_id"): value for name, value in row.items()}
    logged |= {"author": "3", "created_at": "2026-01-01T12:00:00Z"}
    assert witnessed("content.article", CREATE, None, row) == audited(CREATE, {"values": logged})


def test_by_object() -> None:
    """Both sources are ordered by object."""
    records = [record(MODEL, None, POSTGRES), record(MODEL, POSTGRES, POSTGRES | {"stock": 5})]
    committed = committed_changes(records)
    assert committed == {POT: [created(), restocked(0, 5)]}
    rows = [(MODEL, "7", UPDATE, '{"stock": {"old": "0", "new": "5"}}')]
    assert logged_changes(rows) == {POT: [restocked(0, 5)]}


def test_tokens() -> None:
    """The tokens of what committed are in its new values."""
    row = POSTGRES | {"name": "0 user1-00004"}
    assert tokens_of(committed_changes([record(MODEL, None, row)])) == {"user1-00004"}
