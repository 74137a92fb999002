"""On PostgreSQL: have the outbox's table vacuumed after so many dead rows, whatever else is in it.

Every call leaves a dead row, and dead entries at that end of ``outbox_pending`` where claims begin
to read. By default they go when a fifth of the table is dead. That is at once where the outbox is
nearly empty; beside a million calls that are due tomorrow it is after 200,000. There, after another
transaction had kept its snapshot for two minutes, claims went on reading 1,300 blocks for each
batch, where they had read 15; with this, for a minute at most.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

DEAD_ROWS = 1000
"""More than a claim notices; autovacuum looks once a minute (``autovacuum_naptime``)."""


def vacuum_by_number(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Count the dead rows alone."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "ALTER TABLE core_outboxcall SET "
            f"(autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = {DEAD_ROWS})"
        )


def vacuum_by_share(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Have the server's defaults."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "ALTER TABLE core_outboxcall RESET "
            "(autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)"
        )


class Migration(migrations.Migration):
    dependencies = [("core", "0003_mysql_index")]

    operations = [migrations.RunPython(vacuum_by_number, vacuum_by_share)]
