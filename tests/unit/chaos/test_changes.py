"""Tests of the changes: the witness and the audit log say the same of the same change."""

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps

import core.settings
from audit.registry import masked_fields
from tests.tools.chaos.changes import (
    COLUMNS,
    CREATE,
    DELETE,
    MASKED,
    UPDATE,
    audited,
    witnessed,
)
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


USER = {
    "id": 3,
    "password": "pbkdf2$1",
    "username": "ada",
    "date_joined": "2026-01-01",
    "is_active": True,
} | dict.fromkeys(("first_name", "last_name", "email", "is_superuser", "is_staff"), "")


@pytest.mark.parametrize(("stored", "logged"), [("pbkdf2$1", "********"), ("", "")])
def test_password(stored: str, logged: str) -> None:
    """The log says that there is one. None is no secret."""
    made = witnessed("auth.user", CREATE, None, USER | {"password": stored})
    assert made
    assert dict(made.new)["password"] == logged


def test_changed_password() -> None:
    """The log says that it changed, though both look alike there."""
    mask = {"old": "********", "new": "********"}
    change = witnessed("auth.user", UPDATE, USER, USER | {"password": "pbkdf2$2"})
    assert change == audited(UPDATE, {"password": mask})


@pytest.mark.parametrize("label", core.settings.AUDIT_MODELS)
def test_columns(label: str) -> None:
    """The witness watches what the log has, and masks the same."""
    model, excluded = apps.get_model(label), core.settings.AUDIT_MODELS[label].get("exclude", ())
    logged = {each.attname for each in model._meta.concrete_fields if each.name not in excluded}
    assert {*COLUMNS[label.lower()]} == logged
    assert {*MASKED.get(label.lower(), ())} == masked_fields(model)


def test_models() -> None:
    """The witness watches no other models than the log."""
    assert {*COLUMNS} == {label.lower() for label in core.settings.AUDIT_MODELS}


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
