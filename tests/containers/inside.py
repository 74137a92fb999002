"""Print what the database holds, as JSON. The tests give this to Python in the web container."""

import json
import os
from collections import Counter

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django.setup()

from aftercommit.models import OutboxCall  # noqa: E402  # needs the settings
from audit.models import AuditLog  # noqa: E402
from content.models import Article, Author, Comment  # noqa: E402
from notifications.models import Delivery  # noqa: E402

created = AuditLog.objects.filter(
    model_label=Article._meta.label_lower, action=AuditLog.Action.CREATE
)
print(
    json.dumps(
        {
            "articles": dict(Article.objects.values_list("title", "status")),
            "comments": Counter(Comment.objects.values_list("text", flat=True)),
            "created": Counter(created.values_list("object_id", flat=True)),
            "ids": dict(Article.objects.values_list("title", "pk")),
            "counted": sum(Author.objects.values_list("article_count", flat=True)),
            "calls": Counter(OutboxCall.objects.values_list("status", flat=True)),
            "deliveries": [
                *Delivery.objects.filter(article__isnull=False, comment__isnull=True).values_list(
                    "article__title", "status", "message_id"
                )
            ],
        }
    )
)
