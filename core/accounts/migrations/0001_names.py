"""The names that readers see. Of two users from before who look alike, the first has the name."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.accounts.names import skeleton

BATCH = 1000


def take_names(apps: Any, schema_editor: Any) -> None:
    """Give the users from before their names. Who looks like an earlier user gets none."""
    alias = schema_editor.connection.alias
    user_model, name_model = apps.get_model("auth", "User"), apps.get_model("accounts", "Name")
    users = user_model.objects.using(alias).order_by("pk").values_list("pk", "username")
    rows: list[Any] = []
    for pk, username in users.iterator(BATCH):
        rows.append(name_model(user_id=pk, skeleton=skeleton(username)))
        if len(rows) == BATCH:
            name_model.objects.using(alias).bulk_create(rows, ignore_conflicts=True)
            rows = []
    name_model.objects.using(alias).bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.CreateModel(
            name="Name",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("skeleton", models.CharField(max_length=150, unique=True)),
            ],
        ),
        migrations.RunPython(take_names, migrations.RunPython.noop),
    ]
