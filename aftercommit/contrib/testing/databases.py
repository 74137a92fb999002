"""The databases of a test: those that it can use, and whether a drain can see their calls."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.transaction import TransactionManagementError
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]  # no stub

from aftercommit.db.aliases import outbox_aliases


def usable_aliases() -> list[str]:
    """Return the aliases of the databases with an outbox that the test can use.

    A mirror is another name of a database that is among them.
    """
    return [alias for alias in outbox_aliases() if _is_usable(connections[alias])]


def require_aliases() -> list[str]:
    """Return the same aliases. Raise ImproperlyConfigured if there is none."""
    aliases = usable_aliases()
    if not aliases:
        raise ImproperlyConfigured(
            "drain() finds no database that has an outbox and that this test may use. Give its "
            "ENGINE the commit hook (manage.py check has the line to write), and name its alias in "
            "the test's databases = {…}."
        )
    return aliases


def _is_usable(connection: Any) -> bool:
    if connection.settings_dict["TEST"].get("MIRROR"):
        return False
    try:
        connection.cursor().close()
    except DatabaseOperationForbidden:  # the test's ``databases`` don't name it
        return False
    return True


def check_committed(aliases: list[str]) -> None:
    """Raise TransactionManagementError if the test has a block open, whose calls may be undone."""
    for alias in aliases:
        blocks = connections[alias].atomic_blocks
        if blocks and not getattr(blocks[-1], "_from_testcase", False):
            raise TransactionManagementError(
                f"drain() within transaction.atomic() on database {alias!r}. A worker sees calls "
                "when their transaction has committed. Call drain() after the block."
            )
