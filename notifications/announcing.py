"""Decide whether followers are told of an article: once, and again only if the author asks."""

import logging

from django.utils import timezone

from content.models import Article

from .limits import PERIODS, counts, reason_over, record_limited
from .models import Announcement, Kind

logger = logging.getLogger(__name__)


def begin_round(article: Article, again: bool) -> int | None:
    """Return the number of the round in which followers are told now. Return None without one.

    Of two workers that begin the same round one gets its number, because the row of an article is
    unique and is changed under its lock.
    """
    told = Announcement.objects.filter(article=article).first()
    if told is not None and not (again and told.is_old):
        logger.info("Article #%s: followers were told at %s.", article.pk, told.told_at)
        return None
    if not _is_within_limits(article):
        return None
    return _begin_first(article) if told is None else _begin_next(told)


def _begin_first(article: Article) -> int | None:
    author = {"author": article.author}
    told, created = Announcement.objects.get_or_create(article=article, defaults=author)
    return told.round if created else None


def _begin_next(told: Announcement) -> int | None:
    same = Announcement.objects.filter(pk=told.pk, round=told.round)
    return told.round + 1 if same.update(round=told.round + 1, told_at=timezone.now()) else None


def _is_within_limits(article: Article) -> bool:
    """Return whether the author may tell followers of one more article. Record it if not."""
    now = timezone.now()
    told = Announcement.objects.filter(author=article.author, told_at__gt=now - PERIODS["day"])
    reason = reason_over("articles", told.aggregate(**counts("told_at", now)))
    if reason:
        sender = f"user #{article.author.user_id}"
        record_limited(Kind.ARTICLE_PUBLISHED, sender, reason, article=article)
    return not reason
