"""Receivers: each has a task tell people what happened, or settles a delivery."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from celery.signals import task_revoked
from django.db.models import BigIntegerField
from django.db.models.signals import post_save
from django.dispatch import receiver

from aftercommit.models import OutboxCall
from aftercommit.signals import calls_discarded
from content.models import Article, Comment
from content.signals import article_published

from . import tasks
from .operations import settle_unsent


@receiver(article_published)
def article_published_notify_followers(
    article: Article, again: bool, using: str, **kwargs: Any
) -> None:
    """Tell the followers, unless they were told before. The author can ask to have it repeated."""
    tasks.notify_followers.using(using).delay_on_commit(article_id=article.pk, again=again)


@receiver(post_save, sender=Comment)
def comment_created_notify_author(
    instance: Comment, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Tell the article's author."""
    if created and not raw:
        tasks.notify_comment_author.using(using).delay_on_commit(comment_id=instance.pk)


@receiver(calls_discarded)
def call_discarded_settle_delivery(calls: Sequence[OutboxCall], **kwargs: Any) -> None:
    """Settle the deliveries whose calls an operator discarded."""
    arguments = [_arguments(call) for call in calls if call.task == tasks.send_delivery.name]
    settle_unsent(_delivery_ids(arguments), "Its call was discarded from the outbox.")


@task_revoked.connect
def call_revoked_settle_delivery(sender: Any, request: Any, **kwargs: Any) -> None:
    """Settle the delivery whose call was revoked, or was too late to be run."""
    if sender.name == tasks.send_delivery.name:
        arguments = [(request.args, request.kwargs)]
        settle_unsent(_delivery_ids(arguments), "Its call was revoked, or expired.")


Arguments = tuple[Sequence[Any], Mapping[str, Any]]


def _arguments(call: OutboxCall) -> Arguments:
    """Return the call's arguments, or none if they can't be read."""
    try:
        args, kwargs, *_ = json.loads(call.payload)
        return [*args], {**kwargs}
    except (ValueError, TypeError, RecursionError):
        return [], {}


def _delivery_ids(arguments: Iterable[Arguments]) -> list[int]:
    """Return the ids among the arguments of calls that send deliveries."""
    found = [values[0] for args, kwargs in arguments if (values := [*args, *kwargs.values()])]
    return [pk for pk in found if isinstance(pk, int) and 0 < pk <= BigIntegerField.MAX_BIGINT]
