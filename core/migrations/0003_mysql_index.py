"""On MySQL, which has no partial indexes: one index of all calls in place of both, status first.

Without its conditions ``outbox_other`` would be read for a claim, which locks what it reads.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def use_one_index(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave one index, in whose order every look at the calls of a status can read."""
    if schema_editor.connection.vendor == "mysql":
        schema_editor.execute(
            "ALTER TABLE core_outboxcall DROP INDEX outbox_pending, DROP INDEX outbox_other, "
            "ADD INDEX outbox_pending (status, task, available_at, id)"
        )


def use_two_indexes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Have the two that the models say."""
    if schema_editor.connection.vendor == "mysql":
        schema_editor.execute(
            "ALTER TABLE core_outboxcall DROP INDEX outbox_pending, "
            "ADD INDEX outbox_pending (task, available_at, id), "
            "ADD INDEX outbox_other (status, available_at)"
        )


class Migration(migrations.Migration):
    dependencies = [("core", "0002_outboxworker")]

    operations = [migrations.RunPython(use_one_index, use_two_indexes, atomic=False)]
