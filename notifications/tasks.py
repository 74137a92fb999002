"""The tasks that record mails for the people who are told of something, and that send them."""

from collections.abc import Iterator
from typing import Any

from celery import shared_task
from django.contrib.auth.models import User
from django.db.models import QuerySet

from content.models import Article, Comment

from .deliveries import create_deliveries
from .models import Delivery, Follow
from .sending import send

Kind = Delivery.Kind

PAGE_SIZE = 500


@shared_task
def notify_followers(article_id: int, event_id: str) -> None:
    """Record a mail for each follower of the article's author or category, and have it sent."""
    article = Article.objects.published().filter(pk=article_id).first()
    if article is None:
        return
    for users in pages(Follow.objects.followers(article).only("email", "is_active")):
        notify(Kind.ARTICLE_PUBLISHED, event_id, users, article=article)


@shared_task
def notify_comment_author(comment_id: int) -> None:
    """Record a mail for the author of an article that somebody else commented on. Have it sent."""
    comments = Comment.objects.select_related("article__author__user")
    comment = comments.filter(pk=comment_id).first()
    if comment is None or comment.user_id == comment.article.author.user_id:
        return
    users = [comment.article.author.user]
    about = {"article": comment.article, "comment": comment}
    notify(Kind.COMMENT_POSTED, str(comment.pk), users, **about)


# With Celery's backoff 24 retries take about two hours, in which a mail server can come back.
@shared_task(atomic=False, reject_on_worker_lost=True, max_retries=24)
def send_delivery(delivery_id: int) -> None:
    """Send the mail. It runs again after a lost worker: the delivery says how far that came."""
    related = ("recipient", "article__author__user", "article__category", "comment__user")
    delivery = Delivery.objects.select_related(*related).filter(pk=delivery_id).first()
    if delivery is not None:
        send(delivery)


def notify(kind: Kind, event: str, users: list[User], **about: Any) -> None:
    """Record a mail to each of the users, and have it sent once that is committed."""
    for delivery in create_deliveries(kind, event, users, **about):
        send_delivery.delay_on_commit(delivery_id=delivery.pk)


def pages(users: QuerySet[User]) -> Iterator[list[User]]:
    """Yield the users, ordered by primary key, in lists of at most ``PAGE_SIZE``."""
    last = 0
    while page := list(users.filter(pk__gt=last)[:PAGE_SIZE]):
        yield page
        last = page[-1].pk
