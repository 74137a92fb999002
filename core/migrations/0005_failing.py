"""Since when a call fails, and an index of the calls that do.

A call that has not failed is not in the index. On MySQL, which has no partial indexes, each call is.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0004_vacuum")]

    operations = [
        migrations.AddField(
            "outboxcall",
            "failing_since",
            models.DateTimeField(
                null=True,
                help_text="When the first of its attempts failed, while it is tried again.",
            ),
        ),
        migrations.AddIndex(
            "outboxcall",
            models.Index(
                fields=["failing_since"],
                condition=models.Q(failing_since__isnull=False),
                name="outbox_failing",
            ),
        ),
    ]
