"""Columns that are empty for most rows: no row is written anew, and older code need not know them.

A worker of before has no list of its tasks; others take it to have any.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0005_failing")]

    operations = [
        migrations.AddField(
            model_name="outboxcall",
            name="crashed_in",
            field=models.BigIntegerField(
                help_text="The batch that the last of these crashes was counted for.", null=True
            ),
        ),
        migrations.AddField(
            model_name="outboxcall",
            name="misfit_since",
            field=models.DateTimeField(
                help_text="Since when it waits for a worker whose function takes its arguments.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="outboxcall",
            name="lease",
            field=models.UUIDField(
                help_text="Who runs it, or was the last to begin it.", null=True
            ),
        ),
        migrations.AddField(
            model_name="outboxworker",
            name="ended_at",
            field=models.DateTimeField(help_text="When it shut down, asked to.", null=True),
        ),
        migrations.AddField(
            model_name="outboxworker",
            name="tasks",
            field=models.JSONField(
                help_text="The tasks that its code has, and the arguments that each takes.",
                null=True,
            ),
        ),
    ]
