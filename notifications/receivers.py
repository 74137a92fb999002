"""Hands what happened to the tasks that tell people of it."""

import uuid
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from content.models import Article, Comment
from content.signals import article_published

from . import tasks


@receiver(article_published)
def article_published_notify_followers(article: Article, using: str, **kwargs: Any) -> None:
    """Tell the followers; each publication is an event of its own, also of the same article."""
    call = {"article_id": article.pk, "event_id": uuid.uuid4().hex}
    tasks.notify_followers.apply_async_on_commit(kwargs=call, using=using)


@receiver(post_save, sender=Comment)
def comment_created_notify_author(
    instance: Comment, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Tell the article's author."""
    if created and not raw:
        call = {"comment_id": instance.pk}
        tasks.notify_comment_author.apply_async_on_commit(kwargs=call, using=using)
