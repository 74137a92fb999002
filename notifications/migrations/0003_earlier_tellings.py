"""Note of which articles followers were told before, as their deliveries say."""

from typing import Any

from django.db import migrations
from django.db.models import Max

AT_ONCE = 1000


def note_earlier_tellings(apps: Any, schema_editor: Any) -> None:
    """Insert a row for each article that has deliveries. Reads deliveries, and locks none."""
    using = schema_editor.connection.alias
    deliveries = apps.get_model("notifications", "Delivery").objects.using(using)
    announcement = apps.get_model("notifications", "Announcement")
    told = deliveries.filter(kind="article_published", article__author__isnull=False)
    rows = told.order_by("article").values_list("article", "article__author")
    found = (
        announcement(article_id=article, author_id=author, told_at=told_at)
        for article, author, told_at in rows.annotate(Max("created_at"))
    )
    announcement.objects.using(using).bulk_create(found, batch_size=AT_ONCE)


class Migration(migrations.Migration):
    """A migration of its own, because MySQL can't roll back the tables of the one before."""

    dependencies = [("notifications", "0002_tellings_and_digests")]

    operations = [migrations.RunPython(note_earlier_tellings, migrations.RunPython.noop)]
