"""What the database holds, in the words of the history that it should hold."""

from collections import defaultdict
from typing import Any

from django.contrib.auth.models import User
from django.db import models

from aftercommit.models import OutboxBatch, OutboxCall
from audit.models import AuditLog
from content.models import Article, Author, Category, Comment, Product, Profile
from core.accounts.models import Name
from notifications.models import Announcement, CommentDigest, Delivery, GatheredComment
from tests.reliability.history import AUTHOR, PROFILE, USER, History, Key, Logged, Rows, Values

COLUMNS: dict[type[models.Model], tuple[str, ...]] = {
    Comment: ("article_id", "user_id", "text"),
    Article: ("title", "slug", "author_id", "category_id", "content", "status"),
    Category: ("name", "slug"),
    Author: ("user_id", "bio"),
    Profile: ("user_id", "bio"),
    Product: ("name", "price", "stock", "is_active"),
    User: ("username", "first_name"),
}
"""The columns that operations change, in an order in which the tables can be emptied."""

MODELS = {model._meta.label_lower: model for model in COLUMNS}


def key_of(instance: models.Model) -> Key:
    """The row that the instance stands for."""
    return (instance._meta.label_lower, instance.pk)


def values_of(instance: models.Model) -> Values:
    """The values of the columns that the instance has loaded."""
    return {n: instance.__dict__[n] for n in COLUMNS[type(instance)] if n in instance.__dict__}


def stored_rows() -> Rows:
    """All rows."""
    return {
        (label, pk): dict(zip(COLUMNS[model], values, strict=True))
        for label, model in MODELS.items()
        for pk, *values in model._base_manager.values_list("pk", *COLUMNS[model])
    }


def stored_log() -> dict[Key, list[Logged]]:
    """What the log says of each object's columns, in order."""
    log = defaultdict(list)
    for entry in AuditLog.objects.order_by("timestamp", "call_id"):
        logged = _logged(entry)
        if logged.changes:
            log[entry.model_label, int(entry.object_id)].append(logged)
    return log


def _logged(entry: AuditLog) -> Logged:
    names = {name.removesuffix("_id"): name for name in COLUMNS[MODELS[entry.model_label]]}
    changes = {n: c for n, c in entry.named_changes().items() if n in names}
    pairs = {names[name]: (c.get("old"), c.get("new")) for name, c in changes.items()}
    return Logged(entry.action, pairs)


def as_text(logged: Logged) -> Logged:
    """The entry as the log has it: values as text."""
    texts = {n: (_text(old), _text(new)) for n, (old, new) in logged.changes.items()}
    return Logged(logged.action, texts)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def check(history: History) -> None:
    """The database holds what the history says, once everything due is settled."""
    rows = stored_rows()
    assert rows == history.rows
    log = {key: [as_text(each) for each in entries] for key, entries in history.log.items()}
    assert stored_log() == {key: entries for key, entries in log.items() if entries}
    assert stored_counters() == history.counters()
    users = {key[1] for key in rows if key[0] == USER}
    for label in (PROFILE, AUTHOR):
        assert sorted(v["user_id"] for k, v in rows.items() if k[0] == label) == sorted(users)
    slugs = [row["slug"] for key, row in rows.items() if key[0] == "content.article"]
    assert len(slugs) == len({*slugs} - {""})
    assert list(OutboxCall.objects.values("task", "status", "error")) == []
    assert list(OutboxBatch.objects.values("task", "calls")) == []


def stored_counters() -> dict[Key, int]:
    """The counter of each author and each category."""
    return {
        (model._meta.label_lower, pk): count
        for model in (Author, Category)
        for pk, count in model._base_manager.values_list("pk", "article_count")
    }


def empty() -> None:
    """Delete all rows, quickly."""
    mails = (GatheredComment, CommentDigest, Announcement, Delivery)
    for model in (AuditLog, *mails, OutboxCall, OutboxBatch, Name, *COLUMNS):
        rows: Any = model._base_manager.all()
        rows._raw_delete(rows.db)
