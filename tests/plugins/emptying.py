"""Empty the database after a test that commits: only the tables that the test wrote to.

Django's own way is the command ``flush``: it empties all tables, and then makes the rows anew that
a migrated database has (content types, permissions). That took a third of the tests' time.
"""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

TYPES = "django_content_type"
KEPT = (TYPES, "auth_permission", "django_migrations")
"""What ``migrate`` has made. Tests add nothing to it that others could see."""


def pytest_configure() -> None:
    """Have Django empty the database in this way."""
    from django.test import TransactionTestCase

    TransactionTestCase._fixture_teardown = empty_databases  # type: ignore[method-assign]
    TransactionTestCase._reset_sequences = staticmethod(reset_sequences)  # type: ignore[method-assign]


def empty_databases(case: Any) -> None:
    """Delete what the test left in its databases."""
    for alias in case._databases_names(include_mirrors=False):
        if lacks_types(connections[alias]):
            call_command("flush", verbosity=0, interactive=False, database=alias)
        else:
            empty(connections[alias])


def reset_sequences(alias: str) -> None:
    """Have the ids of all tables begin with 1, but for those that keep their rows."""
    connection = connections[alias]
    if connection.features.supports_sequence_reset:
        sequences = connection.introspection.sequence_list()
        emptied = [each for each in sequences if each["table"] not in KEPT]
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_by_name_sql(no_style(), emptied):
                cursor.execute(statement)


def lacks_types(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a test has deleted content types, which then have to be made anew."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TYPES}")  # noqa: S608  # a constant
        return bool(cursor.fetchone()[0] < len(apps.get_models()))


def empty(connection: BaseDatabaseWrapper) -> None:
    """Delete the rows of all tables that have some."""
    if tables := written(connection):
        statements = connection.ops.sql_flush(
            no_style(), tables, allow_cascade=connection.vendor == "postgresql"
        )
        connection.ops.execute_sql_flush(statements)


def written(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables that have rows."""
    existing = connection.introspection.django_table_names(only_existing=True, include_views=False)
    names = sorted({*existing} - {*KEPT})
    quoted = [connection.ops.quote_name(each) for each in names]
    asked = ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in quoted)  # noqa: S608  # ours
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {asked}")
        return [name for name, has_rows in zip(names, cursor.fetchone(), strict=True) if has_rows]
