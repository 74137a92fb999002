"""Receivers: each keeps an invariant in the same transaction, or makes one call of a task."""

import logging
from typing import Any

from django.contrib.auth.models import User
from django.db import router
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from . import tasks
from .models import COUNTED_BY, Article, Profile
from .people import create_profile_and_author, keep_profile_and_author
from .signals import article_published, article_viewed
from .slugs import free_slug

logger = logging.getLogger(__name__)


# --- Invariants: they commit or roll back with the change itself ----------------------------
@receiver(post_save, sender=User)
def user_saved_keep_profile_and_author(
    instance: User, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Give the user a profile and an author."""
    if raw:
        return
    keep = create_profile_and_author if created else keep_profile_and_author
    keep(instance, using)


@receiver(pre_save, sender=Article)
def article_saving_make_slug(instance: Article, raw: bool, using: str, **kwargs: Any) -> None:
    """Make the article's slug from its title, if it has none."""
    if instance.lacks_slug and not raw:
        instance.slug = free_slug(instance, using)


@receiver(post_save, sender=Article)
def article_saved_send_published(
    instance: Article, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Send ``article_published`` once when an article becomes published."""
    if instance.is_published and not raw and (created or "status" in instance.changes()):
        again = instance.tell_again
        article_published.send(sender=Article, article=instance, again=again, using=using)


# --- Effects: tasks do them after the commit ------------------------------------------------
@receiver(post_save, sender=Article)
def article_created_count(
    instance: Article, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Count a new article."""
    if created and not raw:
        tasks.count_articles.using(using).delay_on_commit(after=instance.counted_in())


@receiver(post_save, sender=Article)
def article_moved_count(instance: Article, raw: bool, using: str, **kwargs: Any) -> None:
    """Count an article under its new author or category instead of the old one."""
    moved = {name: c for name, c in instance.changes().items() if name in COUNTED_BY}
    if moved and not raw:
        before, after = ({name: c[i] for name, c in moved.items()} for i in (0, 1))
        tasks.count_articles.using(using).delay_on_commit(before=before, after=after)


@receiver(pre_delete, sender=Article)
def article_deleting_count(instance: Article, using: str, **kwargs: Any) -> None:
    """Stop counting a deleted article, unless another transaction deleted it first."""
    if instance.lock_row(using):
        tasks.count_articles.using(using).delay_on_commit(before=instance.counted_in())


@receiver(post_save, sender=Article)
def article_removed_delete(
    instance: Article, created: bool, raw: bool, using: str, **kwargs: Any
) -> None:
    """Delete an article whose status says so, in pieces."""
    removed = instance.status == Article.Status.REMOVED
    if removed and not raw and (created or "status" in instance.changes()):
        tasks.delete_removed.using(using).delay_on_commit(article_id=instance.pk)


@receiver(post_save, sender=Profile)
def profile_saved_delete_picture(instance: Profile, raw: bool, using: str, **kwargs: Any) -> None:
    """Delete the file of a picture that was replaced or cleared."""
    old, _ = instance.changes().get("avatar", ("", ""))
    if old and not raw:
        tasks.delete_picture.using(using).delay_on_commit(name=old)


@receiver(pre_delete, sender=Profile)
def profile_deleting_delete_picture(instance: Profile, using: str, **kwargs: Any) -> None:
    """Delete the file of a deleted profile's picture."""
    if instance.lock_row(using) and (name := instance.original("avatar")):
        tasks.delete_picture.using(using).delay_on_commit(name=name)


@receiver(article_viewed)
def article_viewed_count(
    article: Article, request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Count a view, in the database that the article is written to."""
    using = router.db_for_write(Article, instance=article)
    tasks.count_views.using(using).delay_on_commit(article_id=article.pk)


# --- The log --------------------------------------------------------------------------------
@receiver(pre_save, sender=Article)
def article_saving_log(instance: Article, **kwargs: Any) -> None:
    """Log what is about to be saved. The receiver that makes the slug comes before."""
    text = "PRE_SAVE: About to save article %r with slug %r (ID: %s)"
    logger.info(text, instance.title, instance.slug, instance.pk)


@receiver(post_save, sender=Article)
def article_saved_log(instance: Article, created: bool, **kwargs: Any) -> None:
    """Log what was created or updated."""
    event = "New article created" if created else "Article updated"
    text = "POST_SAVE: %s: %r (ID: %s) with slug %r"
    logger.info(text, event, instance.title, instance.pk, instance.slug)


@receiver(pre_delete, sender=Article)
def article_deleting_log(instance: Article, **kwargs: Any) -> None:
    """Log what is about to be deleted."""
    text = "PRE_DELETE: About to delete article %r (ID: %s) with slug %r"
    logger.info(text, instance.title, instance.pk, instance.slug)


@receiver(post_delete, sender=Article)
def article_deleted_log(instance: Article, **kwargs: Any) -> None:
    """Log what has been deleted."""
    text = "POST_DELETE: Article %r has been deleted (ID: %s) with slug %r"
    logger.info(text, instance.title, instance.pk, instance.slug)
