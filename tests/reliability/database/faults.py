"""What a test does to the database, and when."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

postgres_only = pytest.mark.only_on("postgres", reason="done by PostgreSQL's own means")
sqlite_only = pytest.mark.only_on("sqlite", reason="only a file has one writer")


def run(wrapper: BaseDatabaseWrapper, sql: str, *parameters: Any) -> Any:
    """The first column of the statement's first row, if it has any."""
    with wrapper.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchone()[0] if cursor.description else None


def once(function: Callable[[], object]) -> Callable[..., None]:
    """The function for its first call; any other does nothing."""
    left = [function]

    def act(*args: Any) -> None:
        if left:
            left.pop()()

    return act


def around(
    patch: pytest.MonkeyPatch, path: str, when: str, act: Callable[[], object]
) -> Callable[[], None]:
    """Act before or after each call of the function at the path; nothing is, until it is armed."""
    original = import_string(path)
    armed: list[bool] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        if armed and when == "before":
            act()
        value = original(*args, **kwargs)
        if armed and when == "after":
            act()
        return value

    patch.setattr(path, call)
    return lambda: armed.append(True)
