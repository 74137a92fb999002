"""Take away the passwords that earlier versions gave to the demo's users, and published."""

import logging
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.db import migrations

logger = logging.getLogger(__name__)

PUBLISHED = {
    "admin": "demo-admin-pass",
    "author": "demo-author-pass",
    "reader": "demo-reader-pass",
}


def replace_published_passwords(apps: Any, schema_editor: Any) -> None:
    """Leave nobody who can log in with a password that everybody can read."""
    users = apps.get_model("auth", "User").objects.using(schema_editor.connection.alias)
    for user in users.filter(username__in=PUBLISHED):
        if check_password(PUBLISHED[user.username], user.password):
            users.filter(pk=user.pk).update(password=make_password(None))
            logger.warning(
                "The user %r had a password that an earlier version published, and can't log in "
                "with it any more. Give it a new one: manage.py changepassword %s (in its embedded "
                "database, `make run` does).",
                user.username,
                user.username,
            )


class Migration(migrations.Migration):
    """Once in each database, wherever it is migrated."""

    dependencies = [
        ("content", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(replace_published_passwords, migrations.RunPython.noop),
    ]
