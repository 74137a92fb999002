import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FailedLogin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True, verbose_name="time")),
                (
                    "unknown",
                    models.CharField(
                        blank=True,
                        help_text="Tells one name that no user has from another, and doesn't tell the name.",
                        max_length=16,
                        verbose_name="unknown name",
                    ),
                ),
                ("address", models.CharField(blank=True, max_length=64)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("page", models.CharField(blank=True, max_length=100)),
                (
                    "user",
                    models.ForeignKey(
                        help_text="The user of the name or mail address that was tried, if there is one.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "failed log-in",
                "verbose_name_plural": "failed log-ins",
                "ordering": ["-at", "-pk"],
            },
        ),
    ]
