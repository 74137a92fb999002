"""When a worker's name was new: whether a worker took the place of one that was killed."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("aftercommit", "0002_each_database")]

    operations = [
        migrations.AddField(
            model_name="outboxworker",
            name="first_seen_at",
            field=models.DateTimeField(
                db_default=Now(), help_text="When the first worker of that name came."
            ),
        ),
    ]
