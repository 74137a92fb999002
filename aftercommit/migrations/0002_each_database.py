"""Set up the table of calls for what each database is good at.

On PostgreSQL: have the table vacuumed after so many dead rows, whatever else is in it. Every call
leaves a dead row, and dead entries at that end of ``outbox_pending`` where claims begin to read. By
default they go when a fifth of the table is dead. That is at once where the outbox is nearly empty.
Beside a million calls that are due tomorrow it is after 200,000. There, after another transaction
had kept its snapshot for two minutes, claims went on reading 1,300 blocks for each batch, where
they had read 15. With this setting they do so for a minute at most.

On MySQL, which has no partial indexes: use one index of all calls in place of two, status first.
Without its condition ``outbox_other`` would be read for a claim, which locks what it reads.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from aftercommit.db.vendors import outbox_ops


def set_up(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Run the statement for this database, if it has one."""
    if statement := outbox_ops(schema_editor.connection).table_setup:
        schema_editor.execute(statement)


def undo(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave the table as the models say."""
    if statement := outbox_ops(schema_editor.connection).table_setup_undone:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("aftercommit", "0001_initial")]

    operations = [migrations.RunPython(set_up, undo, atomic=False)]
